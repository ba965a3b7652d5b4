"""DistilBERT (https://arxiv.org/abs/1910.01108)."""

from typing import Any

from zoo.models.encoder import encoder
from zoo.pretrained import heads as of_tasks
from zoo.pretrained.config import Config
from zoo.pretrained.weights import Rule, linear, norm, rule

MODEL_TYPES = ("distilbert",)
READS = "texts"
BUILD = encoder
PREFIX = "distilbert."
IGNORED = r"\.position_ids$|^vocab_projector\.weight$"
EPSILON = 1e-12


def arguments(config: Config) -> dict[str, Any]:
    """Returns the arguments of `encoder` that a `config.json` stands for.

    `sinusoidal_pos_embds` changes nothing: the file has the table either way.
    """
    config.demand(tie_word_embeddings=True)
    return dict(
        vocabulary_size=config.size("vocab_size"),
        hidden_dim=config.size("dim"),
        intermediate_dim=config.size("hidden_dim"),
        num_heads=config.size("n_heads"),
        num_layers=config.size("n_layers"),
        max_length=config.size("max_position_embeddings"),
        num_segments=0,
        activation=config.activation("activation"),
        epsilon=EPSILON,
        dropout=config.rate("dropout", 0.1),
        attention_dropout=config.rate("attention_dropout", 0.1),
    )


def weights(prefix: str) -> list[Rule]:
    """Returns the rules of the features."""
    layer, attention = f"{prefix}transformer.layer.{{i}}", "block_{i}/attention/"
    return [
        rule(f"{prefix}embeddings.word_embeddings.weight", "embedding/embeddings"),
        rule(f"{prefix}embeddings.position_embeddings.weight", "position/table"),
        *norm(f"{prefix}embeddings.LayerNorm", "embedding_norm"),
        *linear(f"{layer}.attention.q_lin", f"{attention}query_"),
        *linear(f"{layer}.attention.k_lin", f"{attention}key_"),
        *linear(f"{layer}.attention.v_lin", f"{attention}value_"),
        *linear(f"{layer}.attention.out_lin", f"{attention}output_"),
        *norm(f"{layer}.sa_layer_norm", "block_{i}/attention_norm"),
        *linear(f"{layer}.ffn.lin1", "block_{i}/feed_forward/input_"),
        *linear(f"{layer}.ffn.lin2", "block_{i}/feed_forward/output_"),
        *norm(f"{layer}.output_layer_norm", "block_{i}/feed_forward_norm"),
    ]


def heads(config: Config, prefix: str) -> dict[str, of_tasks.Head]:
    """Returns the heads by task."""
    logits, answer = linear("classifier", "logits/"), linear("qa_outputs", "logits/")
    transform = of_tasks.Transform(
        "vocab_transform",
        "vocab_layer_norm",
        activation=config.activation("activation"),
        epsilon=EPSILON,
    )
    return {
        "classes": of_tasks.classes(
            logits,
            dropout=config.rate("seq_classif_dropout", 0.2),
            front=of_tasks.Pooler("pre_classifier", "relu"),
        ),
        "tags": of_tasks.tags(logits, dropout=config.rate("dropout", 0.1)),
        "span": of_tasks.span(answer, dropout=config.rate("qa_dropout", 0.1)),
        "fill": of_tasks.fill(transform, "vocab_projector.bias"),
    }
