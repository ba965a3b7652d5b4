"""DeBERTa v3 (https://arxiv.org/abs/2111.09543), and v2 but for its largest sizes."""

from typing import Any

from zoo.models.deberta import deberta
from zoo.pretrained import bert
from zoo.pretrained import heads as of_tasks
from zoo.pretrained.bert import ACTIVATIONS
from zoo.pretrained.config import Config
from zoo.pretrained.heads import Head
from zoo.pretrained.weights import Rule, linear, norm, rule

MODEL_TYPES = ("deberta-v2",)
READS = "texts"
BUILD = deberta
PREFIX = "deberta."
# Published files also hold what v3 was trained against, and a table of positions that it left out.
IGNORED = (
    r"\.position_ids$|\.position_embeddings\.|^mask_predictions\."
    r"|^lm_predictions\.|^cls\.predictions\."
)


def arguments(config: Config) -> dict[str, Any]:
    """Returns the arguments of `deberta` that a `config.json` stands for."""
    width, num_heads = config.size("hidden_size"), config.size("num_attention_heads")
    config.choose("relative_attention", {True: True}, False)
    config.demand(
        attention_head_size=width // num_heads,
        conv_kernel_size=0,
        pooler_hidden_size=width,
        tie_word_embeddings=True,
    )
    longest = config.size("max_position_embeddings", 512)
    absolute = config.flag("position_biased_input", True)
    return dict(
        vocabulary_size=config.size("vocab_size"),
        hidden_dim=width,
        intermediate_dim=config.size("intermediate_size"),
        num_heads=num_heads,
        num_layers=config.size("num_hidden_layers"),
        num_buckets=config.bound("position_buckets", None),
        max_distance=config.bound("max_relative_positions", longest),
        terms=config.words("pos_att_type", ("c2p", "p2c")),
        share_projections=config.flag("share_att_key", False),
        normalize_relative=config.choose(
            "norm_rel_ebd", {"none": False, "layer_norm": True}, "none"
        ),
        max_length=longest if absolute else None,
        embedding_dim=config.size("embedding_size", width),
        num_segments=config.count("type_vocab_size", 0),
        activation=config.choose("hidden_act", ACTIVATIONS, "gelu"),
        epsilon=config.number("layer_norm_eps", 1e-7),
        dropout=config.rate("hidden_dropout_prob", 0.1),
        attention_dropout=config.rate("attention_probs_dropout_prob", 0.1),
    )


def weights(prefix: str) -> list[Rule]:
    """Returns the rules of the features."""
    attention = f"{prefix}encoder.layer.{{i}}.attention.self."
    return [
        *bert.weights(prefix, suffix="_proj"),
        *linear(f"{prefix}embeddings.embed_proj", "projection/"),
        rule(f"{prefix}encoder.rel_embeddings.weight", "relative/embeddings"),
        *norm(f"{prefix}encoder.LayerNorm", "relative/norm"),
        *linear(f"{attention}pos_query_proj", "block_{i}/attention/relative_query_"),
        *linear(f"{attention}pos_key_proj", "block_{i}/attention/relative_key_"),
    ]


def heads(config: Config, prefix: str) -> dict[str, Head]:
    """Returns the heads by task."""
    hidden = config.rate("hidden_dropout_prob", 0.1)
    logits = linear("classifier", "logits/")
    # The authors published `lm_predictions`. What transformers saved before its config said
    # `legacy` is `cls.predictions`.
    legacy = config.flag("legacy", of_tasks.find_task(config) == "fill")
    head = "cls.predictions" if legacy else "lm_predictions.lm_head"
    transform = f"{head}.transform" if legacy else head
    return {
        "classes": of_tasks.classes(
            [*linear("pooler.dense", "pooler/"), *logits],
            activation=config.choose("pooler_hidden_act", {**ACTIVATIONS, "tanh": "tanh"}, "gelu"),
            dropout=config.rate("cls_dropout", hidden),
            before=config.rate("pooler_dropout", 0.0),
        ),
        "tags": of_tasks.tags(logits, dropout=hidden),
        "span": of_tasks.span(linear("qa_outputs", "logits/")),
        "fill": of_tasks.fill(
            f"{transform}.dense",
            f"{transform}.LayerNorm",
            f"{head}.bias",
            activation=config.choose("hidden_act", ACTIVATIONS, "gelu"),
            epsilon=config.number("layer_norm_eps", 1e-7),
        ),
    }
