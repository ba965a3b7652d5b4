"""DeBERTa v3 (https://arxiv.org/abs/2111.09543), and v2 but for its largest sizes."""

from typing import Any

from zoo.models.deberta import deberta
from zoo.pretrained import bert
from zoo.pretrained import heads as of_tasks
from zoo.pretrained.config import Config
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
DEFAULTS = dict(
    hidden_act="gelu", layer_norm_eps=1e-7, max_position_embeddings=512, type_vocab_size=0
)


def arguments(config: Config) -> dict[str, Any]:
    """Returns the arguments of `deberta` that a `config.json` stands for."""
    common = bert.arguments(config.with_defaults(**DEFAULTS))
    width, num_heads = common["hidden_dim"], common["num_heads"]
    config.choose("relative_attention", {True: True}, False)
    config.demand(
        attention_head_size=width // num_heads, conv_kernel_size=0, pooler_hidden_size=width
    )
    norms = {"none": False, "layer_norm": True}
    absolute = config.flag("position_biased_input", True)
    return {
        **common,
        "num_buckets": config.bound("position_buckets", None),
        "max_distance": config.bound("max_relative_positions", common["max_length"]),
        "terms": config.words("pos_att_type", ("c2p", "p2c")),
        "share_projections": config.flag("share_att_key", False),
        "normalize_relative": config.choose("norm_rel_ebd", norms, "none"),
        "max_length": common["max_length"] if absolute else None,
        "embedding_dim": config.size("embedding_size", width),
    }


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


def heads(config: Config, prefix: str) -> dict[str, of_tasks.Head]:
    """Returns the heads by task."""
    common = bert.arguments(config.with_defaults(**DEFAULTS))
    logits = linear("classifier", "logits/")
    activation = config.activation("pooler_hidden_act", "gelu")
    pooler = of_tasks.Pooler("pooler.dense", activation, config.rate("pooler_dropout", 0.0))
    dropout = config.rate("cls_dropout", common["dropout"])
    # The authors published `lm_predictions`. What transformers saved before its config said
    # `legacy` is `cls.predictions`.
    legacy = config.flag("legacy", of_tasks.find_task(config) == "fill")
    head = "cls.predictions" if legacy else "lm_predictions.lm_head"
    front = f"{head}.transform" if legacy else head
    transform = of_tasks.Transform(
        f"{front}.dense", f"{front}.LayerNorm", common["activation"], common["epsilon"]
    )
    return {
        "classes": of_tasks.classes(logits, dropout=dropout, front=pooler),
        "tags": of_tasks.tags(logits, dropout=common["dropout"]),
        "span": of_tasks.span(linear("qa_outputs", "logits/")),
        "fill": of_tasks.fill(transform, f"{head}.bias"),
    }
