"""Root mean square normalisation that keeps masks."""

from typing import Any

import keras

from keras_attention.layers.entrance import Entrance, tensors


@keras.saving.register_keras_serializable(package="keras_attention")
class RMSNormalization(Entrance, keras.layers.RMSNormalization):
    """RMSNorm of Zhang and Sennrich, 2019 (https://arxiv.org/abs/1910.07467).

    Unlike `keras.layers.RMSNormalization` it passes the mask of its inputs on: the norm behind the
    last `TransformerBlock(norm="rms")`.

    Args:
        axis, epsilon and all others: as in `keras.layers.RMSNormalization`.

    Call arguments:
        inputs: `(..., D)`.

    Output:
        The shape of `inputs`.
    """

    takes = tensors(inputs="(..., D)")

    def __init__(self, axis: int = -1, epsilon: float = 1e-6, **kwargs: Any) -> None:
        super().__init__(axis, epsilon, **kwargs)
        self.supports_masking = True
        self.built_for = ("D",) if axis == -1 else ()

    def build(self, inputs_shape: tuple) -> None:
        super().build(inputs_shape)

    def call(self, inputs: Any) -> Any:
        return super().call(inputs)

    def compute_output_shape(self, inputs_shape: tuple) -> tuple:
        return tuple(inputs_shape)
