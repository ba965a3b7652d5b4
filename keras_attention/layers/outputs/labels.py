"""Class names: the last node of a classifier."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_attention.layers.entrance import Entrance, tensors
from keras_attention.ops import checks


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
class Labels(Entrance, keras.layers.Layer):
    """Names the classes: logits pass, in float32, and `decode` turns them to named answers.

    As the last node of a model it carries the names in the `.keras` file, so that the file alone
    goes from raw input to an answer (`ka.predict`).

    Args:
        num_classes: number of classes C.
        names: C names; `"0"`, `"1"`, ... if `None`.

    Call arguments:
        logits: `(..., C)`.

    Output:
        `logits` as float32, of the same mask.

    Raises:
        ValueError: another number of names or logits than classes, or two equal names.
    """

    takes = tensors(logits="(B, ..., num_classes)")

    def __init__(self, num_classes: int, names: Sequence[str] | None = None, **kwargs: Any) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})
        checks.positive_int(num_classes=num_classes)
        if names is not None and (len(names) != num_classes or len(set(names)) != num_classes):
            raise ValueError(
                "`names` must be a name of its own for each class. Received: "
                f"num_classes={num_classes} and {len(names)} names, {len(set(names))} different"
            )
        self.num_classes = num_classes
        self.names = None if names is None else [str(name) for name in names]
        self.supports_masking = True

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names, in the order of the logits."""
        return tuple(self.names or map(str, range(self.num_classes)))

    def build(self, logits_shape: tuple) -> None:
        self._check(logits_shape)
        self.built = True

    def call(self, logits: Any) -> Any:
        return ops.cast(logits, self.compute_dtype)

    def decode(self, logits: Any, *, top: int = 5) -> list[Any]:
        """Returns a list of answers `(B,)`; lists of them for further axes, as of `(B, T, C)`.

        Args:
            logits: `(B, ..., C)`.
            top: classes in each answer's ranking.
        """
        logits = np.asarray(ops.convert_to_numpy(logits), np.float64)
        self._check(logits.shape)
        if logits.ndim > 2:
            return [self.decode(row, top=top) for row in logits]
        weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
        probabilities = weights / weights.sum(axis=-1, keepdims=True)
        names = self.class_names
        answers = []
        for row in probabilities:
            best = np.argsort(-row, kind="stable")[:top]
            ranking = tuple((names[i], float(row[i])) for i in best)
            answers.append(Answer(*ranking[0], ranking))
        return answers

    def tags(self, logits: Any) -> np.ndarray:
        """Returns the indices `(B, ...)` of the classes that `decode` names."""
        return np.asarray(ops.convert_to_numpy(logits)).argmax(axis=-1)

    def _check(self, shape: tuple) -> None:
        if len(shape) < 2 or shape[-1] not in (None, self.num_classes):
            raise ValueError(
                f"`logits` must have shape (B, ..., {self.num_classes}), a logit for each class. "
                f"Received: logits of shape {tuple(shape)}"
            )

    def compute_output_shape(self, logits_shape: tuple) -> tuple:
        self._check(logits_shape)
        return tuple(logits_shape)

    def compute_output_spec(self, logits: Any) -> keras.KerasTensor:
        return keras.KerasTensor(self.compute_output_shape(logits.shape), dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_classes": self.num_classes, "names": self.names}
