"""Tasks: what stands behind the features of a published model."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras

import keras_attention as ka
from zoo.pretrained.config import Config
from zoo.pretrained.weights import Rule

# By task the ends of names of architectures, as in "BertForMaskedLM"; the first is that of text.
ARCHITECTURES = {
    "features": ("Model",),
    "classes": (
        "ForSequenceClassification",
        "ForImageClassification",
        "ForAudioClassification",
    ),
    "tags": ("ForTokenClassification",),
    "span": ("ForQuestionAnswering",),
    "fill": ("ForMaskedLM",),
    "next_token": ("ForCausalLM", "LMHeadModel"),
}
TASKS = ("features", "embedding", *list(ARCHITECTURES)[1:])
NAMED = ("classes", "tags")  # whose outputs are as many as there are names
# The last layers of tasks, which decode; by them a model's task is known.
LAST = {"classes": "labels", "tags": "labels", "span": "span", "fill": "words"}


@dataclass(frozen=True)
class Head:
    """Layers of a task, and where a checkpoint has their weights.

    Attributes:
        attach: `attach(features, units)`, of a model of features and a number of outputs, returns
            the tensor of these outputs.
        weights: the rules of the layers' weights. The layer that has `units` is named "logits".
    """

    attach: Callable[[keras.Model, int], keras.KerasTensor]
    weights: Sequence[Rule]


def classes(
    weights: Sequence[Rule], *, activation: str | None, dropout: float, before: float = 0.0
) -> Head:
    """Returns a head that classifies a text by its first token, behind a layer of its width.

    Args:
        weights: of the layers `pooler` and `logits`.
        activation: of the layer `pooler`; there is none if `None`.
        dropout: share that training drops in front of the logits.
        before: that in front of the layer `pooler`.
    """

    def attach(features: keras.Model, units: int) -> keras.KerasTensor:
        x = ka.layers.TokenPooling("first", name="pooling")(features.output)  # (B, D)
        if activation is not None:
            if before:
                x = keras.layers.Dropout(before, name="pooler_dropout")(x)
            x = keras.layers.Dense(x.shape[-1], activation, name="pooler")(x)
        return _project(x, units, dropout)

    return Head(attach, weights)


def tags(weights: Sequence[Rule], *, dropout: float) -> Head:
    """Returns a head that classifies each token."""
    return Head(lambda features, units: _project(features.output, units, dropout), weights)


def span(weights: Sequence[Rule], *, dropout: float = 0.0) -> Head:
    """Returns a head that finds where an answer begins and where it ends."""
    return tags(weights, dropout=dropout)


def fill(weights: Sequence[Rule], *, activation: Any, epsilon: float) -> Head:
    """Returns a head that finds the word of each position, by the table of the embeddings."""

    def attach(features: keras.Model, units: int) -> keras.KerasTensor:
        embedding = features.get_layer("embedding")
        x = keras.layers.Dense(embedding.output_dim, activation, name="transform")(features.output)
        x = keras.layers.LayerNormalization(epsilon=epsilon, name="transform_norm")(x)
        x = embedding(x, reverse=True)  # (B, T, V)
        return ka.layers.Bias(name="vocabulary_bias")(x)

    return Head(attach, weights)


def finish(x: keras.KerasTensor, task: str, names: Sequence[str]) -> keras.KerasTensor:
    """Returns the outputs behind the last layer of a task, by which `ka.predict` answers."""
    if task in NAMED:
        layer = ka.layers.Labels
        if task == "tags" and _mark_entities(names):
            layer = ka.layers.EntityLabels
        return layer(len(names), names, name=LAST[task])(x)
    return keras.layers.Activation("linear", dtype="float32", name=LAST.get(task, "logits"))(x)


def find_task(config: Config) -> str | None:
    """Returns the task that a checkpoint was saved for, or `None` if it is none of ours."""
    architecture = find_architecture(config)
    for task, endings in ARCHITECTURES.items():
        if architecture.endswith(endings):
            return task
    return None


def find_architecture(config: Config) -> str:
    """Returns the class that saved a checkpoint, such as `BertForMaskedLM`."""
    names = config.get("architectures")
    return str(names[0]) if isinstance(names, list) and names else "(not said)"


def class_names(config: Config, units: int) -> list[str]:
    """Returns the names of classes that a checkpoint says, or numbers if it has others."""
    by_number = config.get("id2label")
    if isinstance(by_number, dict):
        names = [str(by_number.get(str(i), by_number.get(i))) for i in range(units)]
        if len(by_number) == units == len(set(names)):
            return names
    return [str(i) for i in range(units)]


def _project(x: keras.KerasTensor, units: int, dropout: float) -> keras.KerasTensor:
    x = keras.layers.Dropout(dropout, name="head_dropout")(x)
    return keras.layers.Dense(units, name="logits")(x)


def _mark_entities(names: Sequence[str]) -> bool:
    """Whether names are tags in BIO."""
    begins = {name[2:] for name in names if name.startswith("B-")}
    return "O" in names and all(
        name == "O" or (name[:2] in ("B-", "I-") and name[2:] in begins) for name in names
    )
