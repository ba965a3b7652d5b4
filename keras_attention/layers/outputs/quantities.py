"""Names and units: the last node of a regression."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_attention.layers.entrance import Entrance, tensors
from keras_attention.layers.outputs.logits import sigmoid
from keras_attention.ops import checks


@keras.saving.register_keras_serializable(package="keras_attention")
class Quantities(Entrance, keras.layers.Layer):
    """Names what a regression predicts: standardised outputs pass, in float32, and `decode`
    turns them to named numbers in their own units.

    As the last node of a model it carries names and units in the `.keras` file, so that the file
    alone goes from raw input to an answer (`ka.predict`).

    Args:
        names: Q names, with the unit if there is one.
        offset: Q numbers, what an output of 0 stands for: the mean of the training data.
        scale: Q numbers, what a difference of 1 stands for: its standard deviation.
        activation: `"linear"`, or `"sigmoid"` for outputs that are logits of a number from 0 to 1,
            as cross-encoders that score pairs of texts have; before offset and scale.

    Call arguments:
        outputs: `(..., Q)`.

    Output:
        `outputs` as float32, of the same mask.

    Raises:
        ValueError: another number of offsets, scales or outputs than names, or another activation.
    """

    takes = tensors(outputs="(B, ..., Q)")

    def __init__(
        self,
        names: Sequence[str],
        offset: Sequence[float] | None = None,
        scale: Sequence[float] | None = None,
        activation: str = "linear",
        **kwargs: Any,
    ) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})
        checks.one_of("activation", activation, ("linear", "sigmoid"))
        self.activation = activation
        self.names = [str(name) for name in names]
        size = len(self.names)
        # Python's numbers, so that the configuration is JSON.
        self.offset = [0.0] * size if offset is None else [float(x) for x in offset]
        self.scale = [1.0] * size if scale is None else [float(x) for x in scale]
        if not size or {len(self.offset), len(self.scale)} != {size}:
            raise ValueError(
                "`names`, `offset` and `scale` must have the same number of entries, at least 1. "
                f"Received: {size}, {len(self.offset)} and {len(self.scale)}"
            )
        self.supports_masking = True

    def build(self, outputs_shape: tuple) -> None:
        self._check(outputs_shape)
        self.built = True

    def call(self, outputs: Any) -> Any:
        self._check(outputs.shape)
        return ops.cast(outputs, self.compute_dtype)

    def decode(self, outputs: Any) -> list[dict[str, Any]]:
        """Returns for each row of `(B, ..., Q)` a dict from name to number, or numbers `(...)`."""
        outputs = np.asarray(ops.convert_to_numpy(outputs), np.float64)
        self._check(outputs.shape)
        if self.activation == "sigmoid":
            outputs = sigmoid(outputs)
        values = outputs * self.scale + self.offset
        return [
            {
                name: float(row[..., i]) if row.ndim == 1 else row[..., i]
                for i, name in enumerate(self.names)
            }
            for row in values
        ]

    def _check(self, shape: tuple) -> None:
        if len(shape) < 2 or shape[-1] not in (None, len(self.names)):
            raise ValueError(
                f"`outputs` must have shape (B, ..., {len(self.names)}), a number for each of "
                f"{', '.join(self.names)}. Received: outputs of shape {tuple(shape)}"
            )

    def compute_output_shape(self, outputs_shape: tuple) -> tuple:
        self._check(outputs_shape)
        return tuple(outputs_shape)

    def compute_output_spec(self, outputs: Any) -> keras.KerasTensor:
        return keras.KerasTensor(self.compute_output_shape(outputs.shape), dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "names": self.names,
            "offset": self.offset,
            "scale": self.scale,
            "activation": self.activation,
        }
