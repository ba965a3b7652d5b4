"""ELECTRA (https://arxiv.org/abs/2003.10555), generators and discriminators."""

from typing import Any

from zoo.models.encoder import encoder
from zoo.pretrained import bert
from zoo.pretrained import heads as of_tasks
from zoo.pretrained.config import Config
from zoo.pretrained.heads import Head
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


def heads(config: Config, prefix: str) -> dict[str, Head]:
    """Returns the heads by task. That of discriminators, which tells true tokens from replaced
    ones, is no task here."""
    dropout = config.rate("classifier_dropout", config.rate("hidden_dropout_prob", 0.1))
    return {
        "classes": of_tasks.classes(
            [*linear("classifier.dense", "pooler/"), *linear("classifier.out_proj", "logits/")],
            activation="gelu",
            dropout=dropout,
            before=dropout,
        ),
        "tags": of_tasks.tags(linear("classifier", "logits/"), dropout=dropout),
        "span": of_tasks.span(linear("qa_outputs", "logits/")),
        "fill": of_tasks.fill(
            "generator_predictions.dense",
            "generator_predictions.LayerNorm",
            "generator_lm_head.bias",
            activation="gelu",
            epsilon=config.number("layer_norm_eps", 1e-12),
        ),
    }
