"""BERT (https://arxiv.org/abs/1810.04805), and what has its parts: MiniLM, BGE, E5, GTE."""

from typing import Any

from zoo.models.encoder import encoder
from zoo.pretrained import heads as of_tasks
from zoo.pretrained.config import Config
from zoo.pretrained.weights import SAME, Change, Rule, linear, norm, rule

MODEL_TYPES = ("bert",)
READS = "texts"
BUILD = encoder
PREFIX = "bert."
IGNORED = r"\.position_ids$|^cls\.seq_relationship\.|^cls\.predictions\.decoder\."


def arguments(config: Config) -> dict[str, Any]:
    """Returns the arguments of `encoder` that a `config.json` stands for."""
    config.demand(
        position_embedding_type="absolute",
        is_decoder=False,
        add_cross_attention=False,
        tie_word_embeddings=True,
    )
    return dict(
        **config.sizes(),
        max_length=config.size("max_position_embeddings"),
        num_segments=config.count("type_vocab_size"),
        activation=config.activation("hidden_act"),
        epsilon=config.number("layer_norm_eps", 1e-12),
        dropout=config.rate("hidden_dropout_prob", 0.1),
        attention_dropout=config.rate("attention_probs_dropout_prob", 0.1),
    )


def weights(prefix: str, *, positions: Change = SAME, suffix: str = "") -> list[Rule]:
    """Returns the rules of the features; `positions` is done to the table of positions, and the
    names of query, key and value end with `suffix`."""
    layer, attention = f"{prefix}encoder.layer.{{i}}", "block_{i}/attention/"
    return [
        rule(f"{prefix}embeddings.word_embeddings.weight", "embedding/embeddings"),
        rule(f"{prefix}embeddings.position_embeddings.weight", "position/table", positions),
        rule(f"{prefix}embeddings.token_type_embeddings.weight", "segments/table"),
        *norm(f"{prefix}embeddings.LayerNorm", "embedding_norm"),
        *linear(f"{layer}.attention.self.query{suffix}", f"{attention}query_"),
        *linear(f"{layer}.attention.self.key{suffix}", f"{attention}key_"),
        *linear(f"{layer}.attention.self.value{suffix}", f"{attention}value_"),
        *linear(f"{layer}.attention.output.dense", f"{attention}output_"),
        *norm(f"{layer}.attention.output.LayerNorm", "block_{i}/attention_norm"),
        *linear(f"{layer}.intermediate.dense", "block_{i}/feed_forward/input_"),
        *linear(f"{layer}.output.dense", "block_{i}/feed_forward/output_"),
        *norm(f"{layer}.output.LayerNorm", "block_{i}/feed_forward_norm"),
    ]


def heads(config: Config, prefix: str) -> dict[str, of_tasks.Head]:
    """Returns the heads by task."""
    dropout = config.rate("classifier_dropout", config.rate("hidden_dropout_prob", 0.1))
    logits = linear("classifier", "logits/")
    pooler = of_tasks.Pooler(f"{prefix}pooler.dense", "tanh")
    transform = of_tasks.Transform(
        "cls.predictions.transform.dense",
        "cls.predictions.transform.LayerNorm",
        activation=config.activation("hidden_act"),
        epsilon=config.number("layer_norm_eps", 1e-12),
    )
    return {
        "classes": of_tasks.classes(logits, dropout=dropout, front=pooler),
        "tags": of_tasks.tags(logits, dropout=dropout),
        "span": of_tasks.span(linear("qa_outputs", "logits/")),
        "fill": of_tasks.fill(transform, "cls.predictions.bias"),
    }
