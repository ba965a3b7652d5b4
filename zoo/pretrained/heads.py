"""Tasks: what stands behind the features of a published model."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import keras

import keras_attention as ka
from keras_attention.layers.outputs import tag_schemes
from keras_attention.ops import activations
from keras_attention.saving.errors import printable
from zoo.pretrained.config import Config
from zoo.pretrained.weights import Rule, linear, norm, rule

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
_OTHER_TASKS = ("DoubleHeadsModel",)
NAMED = ("classes", "tags")  # whose outputs are as many as there are names
# The last layers of tasks, which decode; by them a model's task is known.
LAST = {
    "classes": "labels",
    "tags": "labels",
    "span": "span",
    "fill": "words",
    "next_token": "next_token",
}
_PROBLEMS = {
    name: name
    for name in ("single_label_classification", "multi_label_classification", "regression")
}
_NORM = "transform_norm"
_SCORE, _UNNAMED = "score", ("LABEL_0", "0")  # of one number that has no name


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


class Front(Protocol):
    """Layers in front of a head's logits."""

    @property
    def weights(self) -> Sequence[Rule]:
        """The rules of the layers' weights."""
        ...

    def __call__(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """Returns features behind the layers."""
        ...


class _Bare:
    """No layers."""

    weights: Sequence[Rule] = ()

    def __call__(self, x: keras.KerasTensor) -> keras.KerasTensor:
        return x


BARE = _Bare()


@dataclass(frozen=True)
class Pooler:
    """A layer of the features' width, with an activation.

    Attributes:
        dense: the name that a checkpoint has for the layer.
        activation: of the layer.
        dropout: share that training drops in front of the layer.
    """

    dense: str
    activation: str
    dropout: float = 0.0

    @property
    def weights(self) -> Sequence[Rule]:
        return linear(self.dense, "pooler/")

    def __call__(self, x: keras.KerasTensor) -> keras.KerasTensor:
        if self.dropout:
            x = keras.layers.Dropout(self.dropout, name="pooler_dropout")(x)
        activation = activations.get(self.activation)
        return keras.layers.Dense(x.shape[-1], activation, name="pooler")(x)


@dataclass(frozen=True)
class Transform:
    """A layer with an activation, and a norm.

    Attributes:
        dense, normalization: the names that a checkpoint has for the two.
        activation: of the layer.
        epsilon: of the norm.
        use_bias: whether the layer has a bias.
        center: whether the norm has one.
        units: width of both; the features' if `None`.
    """

    dense: str
    normalization: str
    activation: str
    epsilon: float
    use_bias: bool = True
    center: bool = True
    units: int | None = None

    @property
    def weights(self) -> Sequence[Rule]:
        dense, normalization = linear(self.dense, "transform/"), norm(self.normalization, _NORM)
        return [*dense[: 1 + self.use_bias], *normalization[: 1 + self.center]]

    def __call__(self, x: keras.KerasTensor) -> keras.KerasTensor:
        layers, activation = keras.layers, activations.get(self.activation)
        units = self.units or x.shape[-1]
        x = layers.Dense(units, activation, use_bias=self.use_bias, name="transform")(x)
        return layers.LayerNormalization(epsilon=self.epsilon, center=self.center, name=_NORM)(x)


def classes(
    logits: Sequence[Rule], *, dropout: float, front: Front = BARE, pooling: str = "first"
) -> Head:
    """Returns a head that classifies a text by one vector.

    Args:
        logits: the rules of the layer that is named so.
        dropout: share that training drops in front of it.
        front: layers in front of both.
        pooling: what makes a vector of the features, a kind of `TokenPooling`.
    """

    def attach(features: keras.Model, units: int) -> keras.KerasTensor:
        x = ka.layers.TokenPooling(pooling, name="pooling")(features.output)  # (B, D)
        return project(front(x), units, dropout)

    return Head(attach, [*front.weights, *logits])


def classes_of_last(weights: Sequence[Rule]) -> Head:
    """Returns a head that classifies a text by its last token, without a bias."""

    def attach(features: keras.Model, units: int) -> keras.KerasTensor:
        x = ka.layers.TokenPooling("last", name="pooling")(features.output)  # (B, D)
        return keras.layers.Dense(units, use_bias=False, name="logits")(x)

    return Head(attach, weights)


def tags(logits: Sequence[Rule], *, dropout: float, front: Front = BARE) -> Head:
    """Returns a head that classifies each token; the arguments are those of `classes`."""
    return Head(
        lambda features, units: project(front(features.output), units, dropout),
        [*front.weights, *logits],
    )


def span(logits: Sequence[Rule], *, dropout: float = 0.0, front: Front = BARE) -> Head:
    """Returns a head that finds where an answer begins and where it ends."""
    return tags(logits, dropout=dropout, front=front)


def fill(front: Transform, bias: str | None) -> Head:
    """Returns a head that finds the word of each position, by the table of the embeddings.

    Args:
        front: layers in front of the table, of the table's width.
        bias: the name that a checkpoint has for the bias of the words; `None` where it has none.
    """

    def attach(features: keras.Model, units: int) -> keras.KerasTensor:
        embedding = features.get_layer("embedding")
        x = replace(front, units=embedding.output_dim)(features.output)
        x = embedding(x, reverse=True)  # (B, T, V)
        return x if bias is None else ka.layers.Bias(name="vocabulary_bias")(x)

    words = [] if bias is None else [rule(bias, "vocabulary_bias/bias")]
    return Head(attach, [*front.weights, *words])


def project(x: keras.KerasTensor, units: int, dropout: float) -> keras.KerasTensor:
    """Returns logits of a vector or of each token, behind a dropout."""
    x = keras.layers.Dropout(dropout, name="head_dropout")(x)
    return keras.layers.Dense(units, name="logits")(x)


def next_token(weights: Sequence[Rule]) -> Head:
    """Returns a head that finds the token after each: by the table of the embeddings, if it has no
    weights of its own."""

    def attach(features: keras.Model, units: int) -> keras.KerasTensor:
        embedding = features.get_layer("embedding")
        if not weights:
            return embedding(features.output, reverse=True)  # (B, T, V)
        head = keras.layers.Dense(embedding.input_dim, use_bias=False, name="logits")
        return head(features.output)

    return Head(attach, weights)


def finish(
    x: keras.KerasTensor, task: str, names: Sequence[str], config: Config
) -> keras.KerasTensor:
    """Returns the outputs behind the last layer of a task, by which `ka.predict` answers.

    Args:
        x: outputs of a head.
        task: one of `TASKS`.
        names: of the classes, where the task has such.
        config: that of the checkpoint, whose word counts for its own classes alone.
    """
    layers, name = ka.layers, LAST[task]
    own = bool(names) and list(names) == class_names(config, len(names))
    if task == "classes":
        return _answer_classes(names, config if own else Config({}), name)(x)
    if task == "tags":
        scheme = tag_schemes.find_scheme(names)
        if scheme is None:
            return layers.Labels(len(names), names, name=name)(x)
        if not own and tag_schemes.fits(names, "BIO"):
            scheme = "BIO"  # which is to be learned, and whose constraints help
        return layers.EntityLabels(len(names), names, scheme=scheme, name=name)(x)
    if task == "span":
        return layers.AnswerSpan(name=name)(x)
    if task == "fill":
        return layers.MaskedTokens(x.shape[-1], name=name)(x)
    return keras.layers.Activation("linear", dtype="float32", name=name)(x)


def _answer_classes(names: Sequence[str], config: Config, name: str) -> keras.layers.Layer:
    """Returns the layer that names classes, one or several of them, or numbers."""
    problem = config.choose("problem_type", _PROBLEMS, "single_label_classification")
    if problem == "regression" or len(names) == 1:
        return ka.layers.Quantities(
            [_SCORE] if len(names) == 1 and names[0] in _UNNAMED else names,
            activation=_find_activation(config, problem),
            name=name,
        )
    activation = "sigmoid" if problem == "multi_label_classification" else "softmax"
    return ka.layers.Labels(len(names), names, activation, name=name)


def _find_activation(config: Config, problem: str) -> str:
    """Returns what makes a score of a logit: as sentence-transformers' `CrossEncoder` does.

    Its settings name a class of PyTorch. Where they name none, one logit becomes a share, unless
    the model is said to be a regression.
    """
    settings = config.get("sentence_transformers")
    named = settings.get("activation_fn") if isinstance(settings, dict) else None
    named = named or config.get("sbert_ce_default_activation_function")
    if named is None:
        return "linear" if problem == "regression" or not config else "sigmoid"
    return Config({"activation_fn": str(named).rpartition(".")[2]}).choose(
        "activation_fn", {"Identity": "linear", "Sigmoid": "sigmoid"}
    )


def find_task(config: Config) -> str | None:
    """Returns the task that a checkpoint was saved for, or `None` if it is none of ours."""
    ending = find_ending(find_architecture(config))
    return next((task for task, endings in ARCHITECTURES.items() if ending in endings), None)


def find_ending(architecture: str) -> str:
    """Returns the end of an architecture's name that says its task; nothing where none does."""
    endings = [ending for each in ARCHITECTURES.values() for ending in each]
    matches = [end for end in (*endings, *_OTHER_TASKS) if architecture.endswith(end)]
    return max(matches, key=len, default="")


def find_architecture(config: Config) -> str:
    """Returns the class that saved a checkpoint, such as `BertForMaskedLM`."""
    names = config.get("architectures")
    return printable(str(names[0]))[:100] if isinstance(names, list) and names else "(not said)"


def class_names(config: Config, units: int) -> list[str]:
    """Returns the names of classes that a checkpoint says, or numbers if it has others."""
    by_number = config.get("id2label")
    if isinstance(by_number, dict):
        names = [str(by_number.get(str(i), by_number.get(i))) for i in range(units)]
        if len(by_number) == units == len(set(names)):
            return names
    return [str(i) for i in range(units)]
