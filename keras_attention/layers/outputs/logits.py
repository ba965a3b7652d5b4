"""What the last nodes of models have in common whose outputs are logits."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_attention.layers.entrance import Entrance


class Logits(Entrance, keras.layers.Layer):
    """A last node through which logits `(B, ..., C)` pass, in float32, with their mask.

    Attributes:
        num_classes: how many logits C there are of each thing.
    """

    num_classes: int

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})
        self.supports_masking = True

    def build(self, logits_shape: tuple) -> None:
        self._check(logits_shape)
        self.built = True

    def call(self, logits: Any) -> Any:
        return ops.cast(logits, self.compute_dtype)

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


def softmax(logits: np.ndarray, axis: int = -1) -> np.ndarray:
    """Returns shares of 1 along an axis; 0 for logits of minus infinity."""
    weights = np.exp(logits - logits.max(axis=axis, keepdims=True))
    return weights / weights.sum(axis=axis, keepdims=True)


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """Returns the probability of each logit by itself."""
    small = np.exp(-np.abs(logits))  # of a large number it is 0, where `exp` would overflow
    return np.where(logits >= 0, 1, small) / (1 + small)
