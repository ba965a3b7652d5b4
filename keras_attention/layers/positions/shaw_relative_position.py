"""Relative position representations of Shaw et al."""

from typing import Any

import keras
from keras import ops

from keras_attention import kernels, scope
from keras_attention.layers.entrance import Entrance, tensors
from keras_attention.layers.positions.position_strategy import PositionStrategy
from keras_attention.ops import checks, masks, positions
from keras_attention.ops.precision import at_least_float32
from keras_attention.types import Float, Int, Tensor


@keras.saving.register_keras_serializable(package="keras_attention")
class ShawRelativePosition(PositionStrategy, Entrance, keras.layers.Layer):
    """Relative position representations of Shaw et al., 2018 (https://arxiv.org/abs/1803.02155).

    Learns a vector per distance, clipped to `max_distance`, that is added to the keys
    (equation 4, a^K) and another that is added to the values (equation 3, a^V); shared by the
    heads of a layer. The value term needs the attention weights, so no fused kernel is used.

    Args:
        max_distance: the paper's k.
        use_values: whether to learn a^V too.

    Call arguments:
        query: `(B, N, T, H)`, already scaled.

    Output:
        `(B, N, T, T)`: the key term of the logits, `q_i . a^K_ij`.
    """

    takes = tensors(query="(B, N, T, H)")
    built_for = ("H",)

    needs_logits = True

    def __init__(self, max_distance: int = 16, use_values: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        checks.positive_int(max_distance=max_distance)
        self.max_distance = max_distance
        self.use_values = use_values
        self.needs_weights = use_values

    def build(self, query_shape: tuple) -> None:
        checks.rank("query", query_shape, "(B, N, T, H)")
        checks.known("query", query_shape)
        shape = (2 * self.max_distance + 1, query_shape[-1])
        self.key_table = self.add_weight(name="key_table", shape=shape)
        if self.use_values:
            self.value_table = self.add_weight(name="value_table", shape=shape)
        self.built = True

    def bias(
        self,
        query: Float[Tensor, "B N T H"],
        query_positions: Int[Tensor, " T"],
        key_positions: Int[Tensor, " S"],
    ) -> Float[Tensor, "B N T S"]:
        query = at_least_float32(query)
        table = ops.cast(self.key_table, query.dtype)
        by_distance = ops.matmul(query, ops.transpose(table))  # (B, N, T, 2k + 1)
        return kernels.take_columns(by_distance, self._distances(query_positions, key_positions))

    def context(
        self,
        weights: Float[Tensor, "B N T S"],
        query_positions: Int[Tensor, " T"],
        key_positions: Int[Tensor, " S"],
    ) -> Float[Tensor, "B N T H"]:
        # (T, S, H) is gathered once for all heads and rows of the batch, as the paper's
        # section 3.3 has it.
        values = ops.take(
            ops.cast(self.value_table, weights.dtype),
            self._distances(query_positions, key_positions),
            axis=0,
        )
        return ops.einsum("bnts,tsh->bnth", weights, values)

    def _distances(
        self, query_positions: Int[Tensor, " T"], key_positions: Int[Tensor, " S"]
    ) -> Int[Tensor, "T S"]:
        """Returns the row of the tables for each pair."""
        relative = positions.relative_positions(query_positions, key_positions)
        return ops.clip(relative, -self.max_distance, self.max_distance) + self.max_distance

    def call(self, query: Float[Tensor, "B N T H"]) -> Float[Tensor, "B N T T"]:
        steps = masks.positions(ops.shape(query)[2], scope.first_position())
        return ops.cast(self.bias(query, steps, steps), query.dtype)

    def compute_output_shape(self, query_shape: tuple) -> tuple:
        return (*query_shape[:3], query_shape[2])

    def compute_output_spec(self, query: Tensor) -> keras.KerasTensor:
        return keras.KerasTensor(self.compute_output_shape(query.shape), dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "max_distance": self.max_distance,
            "use_values": self.use_values,
        }
