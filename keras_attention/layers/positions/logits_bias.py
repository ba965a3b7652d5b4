"""The base of positions that add a bias to the attention logits."""

from typing import Any

import keras
from keras import ops

from keras_attention import scope
from keras_attention.layers.entrance import Entrance, tensors
from keras_attention.layers.positions.position_strategy import PositionStrategy
from keras_attention.ops import checks, masks
from keras_attention.types import Float, Tensor


class LogitsBias(PositionStrategy, Entrance, keras.layers.Layer):
    """Base of strategies whose bias depends on heads and positions alone.

    Called by itself such a layer adds its bias to logits `(B, N, T, S)`.
    """

    takes = tensors(logits="(B, N, T, S)")
    built_for = ("N",)

    needs_logits = True

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def build(self, logits_shape: tuple) -> None:
        checks.rank("logits", logits_shape, "(B, N, T, S)")
        checks.known("logits", logits_shape, axis=1)
        self._build_heads(logits_shape[1])
        self.built = True

    def call(self, logits: Float[Tensor, "B N T S"]) -> Float[Tensor, "B N T S"]:
        _, _, length, key_length = ops.shape(logits)
        steps = masks.positions(length, scope.first_position())
        bias = self.bias(None, steps, masks.positions(key_length))
        return logits + ops.cast(bias, logits.dtype)

    def compute_output_shape(self, logits_shape: tuple) -> tuple:
        return tuple(logits_shape)

    def compute_output_spec(self, logits: Tensor) -> keras.KerasTensor:
        return keras.KerasTensor(self.compute_output_shape(logits.shape), dtype=self.compute_dtype)
