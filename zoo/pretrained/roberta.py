"""RoBERTa (https://arxiv.org/abs/1907.11692), XLM-R (https://arxiv.org/abs/1911.02116) and
CamemBERT (https://arxiv.org/abs/1911.03894)."""

from typing import Any

from zoo.models.encoder import encoder
from zoo.pretrained import bert
from zoo.pretrained import heads as of_tasks
from zoo.pretrained.config import Config
from zoo.pretrained.weights import Rule, linear, rows_from

MODEL_TYPES = ("roberta", "xlm-roberta", "camembert")
READS = "texts"
BUILD = encoder
PREFIX = "roberta."
IGNORED = r"\.position_ids$|^(roberta\.)?pooler\.|^lm_head\.decoder\."
# Positions are counted from the id of padding on, which itself has the one before the first.
PADDING_ID = 1
FIRST_POSITION = PADDING_ID + 1


def arguments(config: Config) -> dict[str, Any]:
    """Returns the arguments of `encoder` that a `config.json` stands for."""
    config.demand(pad_token_id=PADDING_ID)
    return {
        **bert.arguments(config),
        "max_length": config.size("max_position_embeddings") - FIRST_POSITION,
        "pairs": False,
    }


def weights(prefix: str) -> list[Rule]:
    """Returns the rules of the features."""
    return bert.weights(prefix, positions=rows_from(FIRST_POSITION))


def heads(config: Config, prefix: str) -> dict[str, of_tasks.Head]:
    """Returns the heads by task."""
    dropout = config.rate("classifier_dropout", config.rate("hidden_dropout_prob", 0.1))
    pooler = of_tasks.Pooler("classifier.dense", "tanh", dropout)
    transform = of_tasks.Transform(
        "lm_head.dense",
        "lm_head.layer_norm",
        activation="gelu",
        epsilon=config.number("layer_norm_eps", 1e-12),
    )
    return {
        "classes": of_tasks.classes(
            linear("classifier.out_proj", "logits/"), dropout=dropout, front=pooler
        ),
        "tags": of_tasks.tags(linear("classifier", "logits/"), dropout=dropout),
        "span": of_tasks.span(linear("qa_outputs", "logits/")),
        "fill": of_tasks.fill(transform, "lm_head.bias"),
    }
