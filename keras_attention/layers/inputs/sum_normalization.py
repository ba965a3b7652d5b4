"""Features of nodes as shares of their sum."""

from typing import Any

import keras
from keras import ops

from keras_attention.layers.entrance import Entrance, tensors
from keras_attention.ops import checks


@keras.saving.register_keras_serializable(package="keras_attention")
class SumNormalization(Entrance, keras.layers.Layer):
    """Divides the features of each element by the sum of their magnitudes.

    The words of a long text and of a short one then weigh alike, as Kipf and Welling, 2017
    (https://arxiv.org/abs/1609.02907, section 5.2) prepare citation graphs. Unlike
    `keras.layers.UnitNormalization`, which divides by the root of the sum of squares, it gives
    shares. Features of zeros stay zeros.

    Args:
        epsilon: the smallest sum that is divided by.

    Call arguments:
        features: `(B, ..., F)`.

    Output:
        As `features`, of the same mask.
    """

    takes = tensors(features="(B, ..., F)")

    def __init__(self, epsilon: float = 1e-12, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.epsilon = epsilon
        self.supports_masking = True

    def build(self, features_shape: tuple) -> None:
        checks.known("features", features_shape)
        self.built = True

    def call(self, features: Any) -> Any:
        x = ops.cast(features, "float32")  # in 16 bits many small numbers would not add up
        total = ops.sum(ops.abs(x), axis=-1, keepdims=True)
        return ops.cast(x / ops.maximum(total, self.epsilon), self.compute_dtype)

    def compute_output_shape(self, features_shape: tuple) -> tuple:
        return tuple(features_shape)

    def compute_output_spec(self, features: Any) -> keras.KerasTensor:
        return keras.KerasTensor(features.shape, dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "epsilon": self.epsilon}
