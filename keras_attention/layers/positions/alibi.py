"""Attention with linear biases."""

import keras
from keras import ops

from keras_attention.layers.positions.logits_bias import LogitsBias
from keras_attention.ops import positions
from keras_attention.types import Float, Int, Tensor


@keras.saving.register_keras_serializable(package="keras_attention")
class ALiBi(LogitsBias):
    """Attention with linear biases of Press et al., 2022 (https://arxiv.org/abs/2108.12409).

    Subtracts the distance between query and key, times a slope per head, from the logits
    (section 3). It has no weights. Without causal masking the distance counts both ways.

    Call arguments:
        logits: `(B, N, T, S)`.

    Output:
        `logits` plus the bias.
    """

    def _build_heads(self, num_heads: int) -> None:
        self._slopes = positions.alibi_slopes(num_heads)

    def bias(
        self,
        query: Float[Tensor, "B N T H"],
        query_positions: Int[Tensor, " T"],
        key_positions: Int[Tensor, " S"],
    ) -> Float[Tensor, "1 N T S"]:
        distance = ops.abs(positions.relative_positions(query_positions, key_positions))
        slopes = ops.convert_to_tensor(self._slopes, dtype="float32")[None, :, None, None]
        return -slopes * ops.cast(distance, "float32")
