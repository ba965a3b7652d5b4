"""Reversible normalisation of series that drift."""

from typing import Any

import keras
from keras import ops

from keras_attention.layers.entrance import Entrance, tensors
from keras_attention.ops import checks, masks


@keras.saving.register_keras_serializable(package="keras_attention")
class ReversibleNormalization(Entrance, keras.layers.Layer):
    """Takes mean and standard deviation over time from each series, and gives them back to the
    forecast: RevIN of Kim et al., 2022 (https://openreview.net/forum?id=cGDAkQo1C0p).

    One layer, called twice, since both calls share what it learns:

    ```python
    normalization = ka.layers.ReversibleNormalization()
    x = normalization(series)            # (B, T, C)
    forecast = ...                       # (B, H, C)
    y = normalization(forecast, series)  # back on the level and the scale of `series`
    ```

    Statistics are of each channel of each series by itself, over its valid steps, in float32.

    Args:
        affine: whether to learn a scale and an offset of each channel (equation 2).
        epsilon: added to the variance.

    Call arguments:
        inputs: `(B, T, C)`, to be normalised; or a forecast `(B, H, C)`, with `series`.
        series: `(B, S, C)`, what was normalised: its statistics are given back to `inputs`.
        mask, inputs_mask: `(B, T)` boolean padding mask of `inputs`; either name, ANDed if both.
        series_mask: `(B, S)` boolean padding mask of `series`.

    Output:
        The shape of `inputs`, zeros where it is masked.

    Raises:
        ValueError: `inputs` and `series` have different channels.
    """

    takes = tensors(inputs="(B, T, C)", series="(B, S, C)")

    def __init__(self, affine: bool = True, epsilon: float = 1e-5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        checks.positive(epsilon=epsilon)
        self.affine = affine
        self.epsilon = epsilon
        self.supports_masking = True
        self.built_for = ("C",) if affine else ()

    def build(self, inputs_shape: tuple, series_shape: tuple | None = None) -> None:
        checks.rank("inputs", inputs_shape, "(B, T, C)")
        checks.known("inputs", inputs_shape)
        if self.affine:
            channels = inputs_shape[-1]
            self.gamma = self.add_weight(name="gamma", shape=(channels,), initializer="ones")
            self.beta = self.add_weight(name="beta", shape=(channels,), initializer="zeros")
        self.built = True

    def call(
        self,
        inputs: Any,
        series: Any = None,
        mask: Any = None,
        inputs_mask: Any = None,
        series_mask: Any = None,
    ) -> Any:
        mask = masks.both(mask, inputs_mask)
        self._check(inputs, series, mask, series_mask)
        x = ops.cast(masks.zero_masked(inputs, mask), "float32")
        if series is None:
            mean, std = self._measure(inputs, mask)
            y = (x - mean) / std
            if self.affine:
                y = y * ops.cast(self.gamma, "float32") + ops.cast(self.beta, "float32")
        else:
            mean, std = self._measure(series, series_mask)
            y = x
            if self.affine:
                # The authors' own guard against a scale of 0.
                gamma = ops.cast(self.gamma, "float32") + self.epsilon**2
                y = (y - ops.cast(self.beta, "float32")) / gamma
            y = y * std + mean
        return ops.cast(masks.zero_masked(y, mask), self.compute_dtype)

    def _measure(self, series: Any, mask: Any) -> tuple[Any, Any]:
        """Returns mean and standard deviation `(B, 1, C)` over the valid steps."""
        x = ops.cast(masks.zero_masked(series, mask), "float32")
        if mask is None:
            mean = ops.mean(x, axis=1, keepdims=True)
            variance = ops.mean(ops.square(x - mean), axis=1, keepdims=True)
        else:
            valid = ops.cast(mask, "float32")[..., None]
            count = ops.maximum(ops.sum(valid, axis=1, keepdims=True), 1.0)
            mean = ops.sum(x, axis=1, keepdims=True) / count
            squares = ops.square(x - mean) * valid
            variance = ops.sum(squares, axis=1, keepdims=True) / count
        std = ops.sqrt(variance + self.epsilon)
        # The authors do not train through the statistics; nor does what comes before this layer.
        return ops.stop_gradient(mean), ops.stop_gradient(std)

    def _check(self, inputs: Any, series: Any, mask: Any, series_mask: Any) -> None:
        checks.sequence_mask("mask", mask, "inputs", inputs.shape)
        if series is not None:
            checks.sequence_mask("series_mask", series_mask, "series", series.shape)

    def compute_output_shape(self, inputs_shape: tuple, series_shape: tuple | None = None) -> tuple:
        return tuple(inputs_shape)

    def compute_output_spec(
        self,
        inputs: Any,
        series: Any = None,
        mask: Any = None,
        inputs_mask: Any = None,
        series_mask: Any = None,
    ) -> keras.KerasTensor:
        self._check(inputs, series, masks.both(mask, inputs_mask), series_mask)
        return keras.KerasTensor(inputs.shape, dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "affine": self.affine, "epsilon": self.epsilon}
