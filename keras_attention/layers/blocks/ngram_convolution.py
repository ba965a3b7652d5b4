"""Convolutions over a padded sequence."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_attention.layers.entrance import Entrance, tensors
from keras_attention.layers.weights import add_kernel
from keras_attention.ops import checks, masks


@keras.saving.register_keras_serializable(package="keras_attention")
class NGramConvolution(Entrance, keras.layers.Layer):
    """Features of n-grams: convolutions of several sizes beside each other (Kim, 2014,
    https://arxiv.org/abs/1408.5882, section 2), one vector per element.

    Kim takes the largest value of each feature in a sentence; here the features stay where they
    are, for attention to read. Unlike `keras.layers.Conv1D` it honours and keeps padding masks:
    masked elements count as zeros, and come out as zeros.

    Args:
        filters: features of each size.
        kernel_size: elements that a feature sees, or several sizes. Even sizes see one element
            more after the present one than before it.
        activation: of the features.
        kernel_initializer: of the convolutions.

    Call arguments:
        inputs: `(B, T, D)`.
        mask: `(B, T)` boolean padding mask.

    Output:
        `(B, T, F)`, F being `filters` for each size.
    """

    takes = tensors(inputs="(B, T, D)")
    built_for = ("D",)

    def __init__(
        self,
        filters: int,
        kernel_size: int | Sequence[int] = 3,
        activation: str | None = "relu",
        kernel_initializer: Any = "glorot_uniform",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        checks.positive_int(filters=filters)
        self.filters = filters
        self._sizes = (kernel_size,) if isinstance(kernel_size, int) else tuple(kernel_size)
        self.kernel_size = kernel_size if isinstance(kernel_size, int) else self._sizes
        for size in self._sizes:
            checks.positive_int(kernel_size=size)
        self.activation = keras.activations.get(activation)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.supports_masking = True

    def build(self, inputs_shape: tuple) -> None:
        checks.rank("inputs", inputs_shape, "(B, T, D)")
        checks.known("inputs", inputs_shape)
        self._kernels = [
            add_kernel(self, f"kernel_{number}", (size * inputs_shape[-1], self.filters))
            for number, size in enumerate(self._sizes)
        ]
        self.bias = self.add_weight(
            name="bias", shape=(self.filters * len(self._sizes),), initializer="zeros"
        )
        self.built = True

    def call(self, inputs: Any, mask: Any = None) -> Any:
        checks.sequence_mask("mask", mask, "inputs", inputs.shape)
        x = masks.zero_masked(inputs, mask)
        features = [
            ops.matmul(_gather_windows(x, size), kernel)  # (B, T, filters)
            for size, kernel in zip(self._sizes, self._kernels, strict=True)
        ]
        joined = features[0] if len(features) == 1 else ops.concatenate(features, axis=-1)
        return masks.zero_masked(self.activation(joined + self.bias), mask)

    def compute_output_shape(self, inputs_shape: tuple) -> tuple:
        return (*inputs_shape[:-1], self.filters * len(self._sizes))

    def compute_output_spec(self, inputs: Any, mask: Any = None) -> keras.KerasTensor:
        checks.sequence_mask("mask", mask, "inputs", inputs.shape)
        return keras.KerasTensor(self.compute_output_shape(inputs.shape), dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "activation": keras.activations.serialize(self.activation),
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }


def _gather_windows(x: Any, size: int) -> Any:
    """Returns each element of `(B, T, D)` with its neighbours: `(B, T, size * D)`."""
    if size == 1:
        return x
    length = ops.shape(x)[1]
    x = ops.pad(x, [[0, 0], [(size - 1) // 2, size // 2], [0, 0]])
    return ops.concatenate([x[:, i : i + length] for i in range(size)], axis=-1)
