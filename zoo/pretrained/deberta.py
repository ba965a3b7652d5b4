"""DeBERTa v3 (https://arxiv.org/abs/2111.09543), and v2 but for its largest sizes."""

from typing import Any

from zoo.models.deberta import deberta
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
        num_buckets=_size_or("position_buckets", None, config),
        max_distance=_size_or("max_relative_positions", longest, config),
        terms=_read_terms(config),
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


def _size_or(key: str, otherwise: int | None, config: Config) -> int | None:
    """Returns a size of a `config.json`, in which -1 stands for none."""
    return otherwise if config.number(key, -1) < 1 else config.size(key)


def _read_terms(config: Config) -> list[str]:
    """Returns the terms of the attention, which are a list or words between bars."""
    given = config.get("pos_att_type")
    words = given.lower().split("|") if isinstance(given, str) else given
    terms = sorted(str(word).strip() for word in words) if isinstance(words, list) else words
    if terms not in (["c2p"], ["p2c"], ["c2p", "p2c"]):
        raise ValueError(
            "'pos_att_type' of config.json must be 'c2p', 'p2c' or 'c2p|p2c'. Received: "
            f"pos_att_type={ascii(given)[:100]}"
        )
    return terms


def weights(prefix: str) -> list[Rule]:
    """Returns the rules of the features."""
    layer, attention = f"{prefix}encoder.layer.{{i}}", "block_{i}/attention/"
    return [
        rule(f"{prefix}embeddings.word_embeddings.weight", "embedding/embeddings"),
        rule(f"{prefix}embeddings.position_embeddings.weight", "position/table"),
        rule(f"{prefix}embeddings.token_type_embeddings.weight", "segments/table"),
        *linear(f"{prefix}embeddings.embed_proj", "projection/"),
        *norm(f"{prefix}embeddings.LayerNorm", "embedding_norm"),
        rule(f"{prefix}encoder.rel_embeddings.weight", "relative/embeddings"),
        *norm(f"{prefix}encoder.LayerNorm", "relative/norm"),
        *linear(f"{layer}.attention.self.query_proj", f"{attention}query_"),
        *linear(f"{layer}.attention.self.key_proj", f"{attention}key_"),
        *linear(f"{layer}.attention.self.value_proj", f"{attention}value_"),
        *linear(f"{layer}.attention.self.pos_query_proj", f"{attention}relative_query_"),
        *linear(f"{layer}.attention.self.pos_key_proj", f"{attention}relative_key_"),
        *linear(f"{layer}.attention.output.dense", f"{attention}output_"),
        *norm(f"{layer}.attention.output.LayerNorm", "block_{i}/attention_norm"),
        *linear(f"{layer}.intermediate.dense", "block_{i}/feed_forward/input_"),
        *linear(f"{layer}.output.dense", "block_{i}/feed_forward/output_"),
        *norm(f"{layer}.output.LayerNorm", "block_{i}/feed_forward_norm"),
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
            [
                *linear(f"{transform}.dense", "transform/"),
                *norm(f"{transform}.LayerNorm", "transform_norm"),
                rule(f"{head}.bias", "vocabulary_bias/bias"),
            ],
            activation=config.choose("hidden_act", ACTIVATIONS, "gelu"),
            epsilon=config.number("layer_norm_eps", 1e-7),
        ),
    }
