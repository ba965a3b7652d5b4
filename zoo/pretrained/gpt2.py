"""GPT-2 (https://cdn.openai.com/better-language-models/language_models_are_unsupervised_multitask_learners.pdf)."""

from typing import Any

from zoo.models.gpt import gpt
from zoo.pretrained import heads as of_tasks
from zoo.pretrained.config import Config
from zoo.pretrained.weights import TRANSPOSED, Rule, linear, norm, parts, rule

MODEL_TYPES = ("gpt2",)
READS = "texts"
BUILD = gpt
PREFIX = "transformer."
TIED = {"lm_head.weight": "transformer.wte.weight"}
# Masks of old files, what chooses among answers in GPT2DoubleHeadsModel, and a table that is tied.
IGNORED = r"\.attn\.(masked_)?bias$|^multiple_choice_head\.|^lm_head\.weight$"


def arguments(config: Config) -> dict[str, Any]:
    """Returns the arguments of `gpt` that a `config.json` stands for."""
    config.demand(
        scale_attn_weights=True, scale_attn_by_inverse_layer_idx=False, add_cross_attention=False
    )
    width = config.size("n_embd", 768)
    return dict(
        vocabulary_size=config.size("vocab_size"),
        hidden_dim=width,
        intermediate_dim=config.size("n_inner", 4 * width),
        num_heads=config.size("n_head", 12),
        num_layers=config.size("n_layer", 12),
        max_length=config.size("n_positions", 1024),
        activation=config.activation("activation_function", "gelu_new"),
        epsilon=config.number("layer_norm_epsilon", 1e-5),
        dropout=config.rate("resid_pdrop", 0.1),
        attention_dropout=config.rate("attn_pdrop", 0.1),
        embedding_dropout=config.rate("embd_pdrop", 0.1),
        head=False,
    )


def weights(prefix: str) -> list[Rule]:
    """Returns the rules of the features."""
    layer, attention = f"{prefix}h.{{i}}", "block_{i}/attention/"
    thirds = [f"{attention}{role}_" for role in ("query", "key", "value")]
    rules = [
        rule(f"{prefix}wte.weight", "embedding/embeddings"),
        rule(f"{prefix}wpe.weight", "position/table"),
        *norm(f"{layer}.ln_1", "block_{i}/attention_norm"),
        *norm(f"{layer}.ln_2", "block_{i}/feed_forward_norm"),
        *norm(f"{prefix}ln_f", "norm"),
    ]
    for theirs, ours in (("weight", "kernel"), ("bias", "bias")):  # kernels lie as ours do
        rules += [
            rule(f"{layer}.attn.c_attn.{theirs}", [f"{name}{ours}" for name in thirds], parts(3)),
            rule(f"{layer}.attn.c_proj.{theirs}", f"{attention}output_{ours}"),
            rule(f"{layer}.mlp.c_fc.{theirs}", f"block_{{i}}/feed_forward/input_{ours}"),
            rule(f"{layer}.mlp.c_proj.{theirs}", f"block_{{i}}/feed_forward/output_{ours}"),
        ]
    return rules


def heads(config: Config, prefix: str) -> dict[str, of_tasks.Head]:
    """Returns the heads by task."""
    dropout = config.rate("classifier_dropout", config.rate("hidden_dropout", 0.1))
    tied = config.flag("tie_word_embeddings", True)
    table = [] if tied else [rule("lm_head.weight", "logits/kernel", TRANSPOSED)]
    return {
        "next_token": of_tasks.next_token(table),
        "classes": of_tasks.classes_of_last([rule("score.weight", "logits/kernel", TRANSPOSED)]),
        "tags": of_tasks.tags(linear("classifier", "logits/"), dropout=dropout),
        "span": of_tasks.span(linear("qa_outputs", "logits/")),
    }
