"""Class names: the last node of a classifier."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_attention.layers.entrance import tensors
from keras_attention.layers.outputs.logits import Logits, sigmoid, softmax
from keras_attention.ops import checks

_ACTIVATIONS = {"softmax": softmax, "sigmoid": sigmoid}


@dataclass(frozen=True)
class Answer:
    """Answer of a classifier to one input.

    Attributes:
        label: name of the most probable class.
        probability: of that class.
        ranking: (name, probability) of the most probable classes, the most probable first.
    """

    label: str
    probability: float
    ranking: tuple[tuple[str, float], ...]

    def __str__(self) -> str:
        return f"{self.label} ({self.probability:.1%})"


@keras.saving.register_keras_serializable(package="keras_attention")
class Labels(Logits):
    """Names the classes: logits pass, in float32, and `decode` turns them to named answers.

    As the last node of a model it carries the names in the `.keras` file, so that the file alone
    goes from raw input to an answer (`ka.predict`).

    Args:
        num_classes: number of classes C.
        names: C names; `"0"`, `"1"`, ... if `None`.
        activation: what makes probabilities of logits. `"softmax"`: one class is right.
            `"sigmoid"`: each class is right or wrong by itself, so that several may be right, or
            none. A ranking then has all whose probability is above one half.

    Call arguments:
        logits: `(..., C)`.

    Output:
        `logits` as float32, of the same mask.

    Raises:
        ValueError: another number of names or logits than classes, two equal names, or another
            activation.
    """

    takes = tensors(logits="(B, ..., num_classes)")
    overlap = 32

    def __init__(
        self,
        num_classes: int,
        names: Sequence[str] | None = None,
        activation: str = "softmax",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        checks.positive_int(num_classes=num_classes)
        checks.one_of("activation", activation, _ACTIVATIONS)
        if names is not None and (len(names) != num_classes or len(set(names)) != num_classes):
            raise ValueError(
                "`names` must be a name of its own for each class. Received: "
                f"num_classes={num_classes} and {len(names)} names, {len(set(names))} different"
            )
        self.num_classes = num_classes
        self.names = None if names is None else [str(name) for name in names]
        self.activation = activation

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names, in the order of the logits."""
        return tuple(self.names or map(str, range(self.num_classes)))

    def probabilities(self, logits: Any) -> np.ndarray:
        """Returns the probabilities of the classes, `(B, ..., C)`."""
        logits = np.asarray(ops.convert_to_numpy(logits), np.float64)
        return _ACTIVATIONS[self.activation](logits)

    def decode(self, logits: Any, *, top: int = 5) -> list[Any]:
        """Returns a list of answers `(B,)`; lists of them for further axes, as of `(B, T, C)`.

        Args:
            logits: `(B, ..., C)`.
            top: classes in each answer's ranking.
        """
        probabilities = self.probabilities(logits)
        self._check(probabilities.shape)
        return self._name(probabilities, top)

    def _name(self, probabilities: np.ndarray, top: int) -> list[Any]:
        if probabilities.ndim > 2:
            return [self._name(row, top) for row in probabilities]
        return self._answer(probabilities, probabilities.argmax(axis=-1), top)

    def _answer(self, probabilities: np.ndarray, chosen: np.ndarray, top: int) -> list[Answer]:
        """Returns answers `(B,)` with these labels.

        Args:
            probabilities: `(B, C)`.
            chosen: `(B,)`, indices of the labels.
            top: classes in each ranking.
        """
        names = self.class_names
        order = np.argsort(-probabilities, axis=-1, kind="stable")
        tops = np.full(len(order), top)
        if self.activation == "sigmoid":
            tops = np.maximum(top, (probabilities > 0.5).sum(axis=-1))
        answers = []
        # Lists, for an element of an array takes Python several times as long.
        for row, label, best, size in zip(
            probabilities.tolist(), chosen.tolist(), order.tolist(), tops.tolist(), strict=True
        ):
            ranking = tuple((names[i], row[i]) for i in best[:size])
            answers.append(Answer(names[label], row[label], ranking))
        return answers

    def tags(self, logits: Any) -> np.ndarray:
        """Returns the indices `(B, ...)` of the classes that `decode` names."""
        return np.asarray(ops.convert_to_numpy(logits)).argmax(axis=-1)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "names": self.names,
            "activation": self.activation,
        }
