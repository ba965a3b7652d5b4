"""One vector of a sequence, without attention."""

from typing import Any

import keras
from keras import ops

from keras_attention.layers.entrance import Entrance, tensors
from keras_attention.ops import checks, masks
from keras_attention.ops.precision import at_least_float32

_KINDS = ("first", "last", "mean", "max")


@keras.saving.register_keras_serializable(package="keras_attention")
class TokenPooling(Entrance, keras.layers.Layer):
    """Makes one vector of a sequence: a token of it, or the mean or maximum over tokens.

    The first token is what BERT classifies by (Devlin et al., 2019,
    https://arxiv.org/abs/1810.04805), the last one GPT's (Radford et al., 2018); sentence
    embeddings are means (Reimers and Gurevych, 2019, https://arxiv.org/abs/1908.10084, section 3).
    Masked tokens are left out, on either side.

    Args:
        kind: `"first"`, `"last"`, `"mean"` or `"max"`.

    Call arguments:
        value: `(B, T, D)`.
        mask: `(B, T)` boolean padding mask.

    Output:
        `(B, D)`; zeros for a row that is masked whole.
    """

    takes = tensors(value="(B, T, D)")

    def __init__(self, kind: str = "mean", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        checks.one_of("kind", kind, _KINDS)
        self.kind = kind
        self.supports_masking = True

    @property
    def reads(self) -> str:
        """What of the sequence is in the vector, a word of `roles.READS`."""
        return self.kind if self.kind in ("first", "last") else "mean"

    def build(self, value_shape: tuple) -> None:
        checks.rank("value", value_shape, "(B, T, D)")
        self.built = True

    def call(self, value: Any, mask: Any = None) -> Any:
        checks.sequence_mask("mask", mask, "value", value.shape)
        if mask is None:
            return self._pool_all(value)
        value = masks.zero_masked(value, mask)
        if self.kind == "mean":
            count = ops.maximum(ops.sum(ops.cast(mask, "int32"), axis=1, keepdims=True), 1)
            total = ops.sum(at_least_float32(value), axis=1)
            return ops.cast(total / ops.cast(count, total.dtype), value.dtype)
        if self.kind == "max":
            lowest = ops.cast(float("-inf"), value.dtype)
            highest = ops.max(ops.where(mask[..., None], value, lowest), axis=1)
            return ops.where(ops.any(mask, axis=1, keepdims=True), highest, 0.0)
        if self.kind == "first":
            row = masks.first_valid(mask)
        else:
            row = ops.shape(mask)[1] - 1 - masks.first_valid(ops.flip(mask, axis=1))
        return ops.take_along_axis(value, row[:, None, None], axis=1)[:, 0]

    def _pool_all(self, value: Any) -> Any:
        if self.kind == "mean":
            return ops.cast(ops.mean(at_least_float32(value), axis=1), value.dtype)
        if self.kind == "max":
            return ops.max(value, axis=1)
        return value[:, 0] if self.kind == "first" else value[:, -1]

    def compute_mask(self, value: Any, previous_mask: Any = None) -> None:
        return None

    def compute_output_shape(self, value_shape: tuple) -> tuple:
        return (value_shape[0], value_shape[-1])

    def compute_output_spec(self, value: Any, mask: Any = None) -> keras.KerasTensor:
        checks.sequence_mask("mask", mask, "value", value.shape)
        return keras.KerasTensor(self.compute_output_shape(value.shape), dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "kind": self.kind}
