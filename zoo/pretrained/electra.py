"""ELECTRA (https://arxiv.org/abs/2003.10555), generators and discriminators."""

from typing import Any

from zoo.models.encoder import encoder
from zoo.pretrained import bert
from zoo.pretrained import heads as of_tasks
from zoo.pretrained.config import Config
from zoo.pretrained.weights import Rule, linear

MODEL_TYPES = ("electra",)
READS = "texts"
BUILD = encoder
PREFIX = "electra."
IGNORED = r"\.position_ids$|^discriminator_predictions\.|^generator_lm_head\.weight$"


def arguments(config: Config) -> dict[str, Any]:
    """Returns the arguments of `encoder` that a `config.json` stands for."""
    return {**bert.arguments(config), "embedding_dim": config.size("embedding_size")}


def weights(prefix: str) -> list[Rule]:
    """Returns the rules of the features."""
    return [*bert.weights(prefix), *linear(f"{prefix}embeddings_project", "projection/")]


def heads(config: Config, prefix: str) -> dict[str, of_tasks.Head]:
    """Returns the heads by task. That of discriminators, which tells true tokens from replaced
    ones, is no task here."""
    dropout = config.rate("classifier_dropout", config.rate("hidden_dropout_prob", 0.1))
    pooler = of_tasks.Pooler("classifier.dense", "gelu", dropout)
    transform = of_tasks.Transform(
        "generator_predictions.dense",
        "generator_predictions.LayerNorm",
        activation="gelu",
        epsilon=config.number("layer_norm_eps", 1e-12),
    )
    return {
        "classes": of_tasks.classes(
            linear("classifier.out_proj", "logits/"), dropout=dropout, front=pooler
        ),
        "tags": of_tasks.tags(linear("classifier", "logits/"), dropout=dropout),
        "span": of_tasks.span(linear("qa_outputs", "logits/")),
        "fill": of_tasks.fill(transform, "generator_lm_head.bias"),
    }
