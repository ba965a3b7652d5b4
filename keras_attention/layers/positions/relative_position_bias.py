"""The relative position bias of T5."""

from typing import Any

import keras
from keras import ops

from keras_attention.layers.positions.logits_bias import LogitsBias
from keras_attention.ops import checks, positions
from keras_attention.types import Float, Int, Tensor


@keras.saving.register_keras_serializable(package="keras_attention")
class RelativePositionBias(LogitsBias):
    """Learned bias per head and bucket of distance, of T5.

    Raffel et al., 2020 (https://arxiv.org/abs/1910.10683), section 2.1. Half of the buckets
    hold one distance each, the rest grow logarithmically up to `max_distance`. T5 also leaves
    out the scaling of the logits: use `scale=1.0` in the attention layer for that.

    Args:
        num_buckets: rows of the table.
        max_distance: distance from which on all fall into the last bucket.
        bidirectional: whether keys after the query have buckets of their own (half of them);
            `False` for causal attention.

    Call arguments:
        logits: `(B, N, T, S)`.

    Output:
        `logits` plus the bias.
    """

    def __init__(
        self,
        num_buckets: int = 32,
        max_distance: int = 128,
        bidirectional: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        checks.positive_int(num_buckets=num_buckets, max_distance=max_distance)
        exact = num_buckets // (4 if bidirectional else 2)
        if not 0 < exact < max_distance:
            raise ValueError(
                "`num_buckets` must be at least 4 (2 if not bidirectional), and `max_distance` "
                f"larger than the {exact} distances with a bucket of their own. Received: "
                f"num_buckets={num_buckets}, max_distance={max_distance}"
            )
        self.num_buckets = num_buckets
        self.max_distance = max_distance
        self.bidirectional = bidirectional

    def _build_heads(self, num_heads: int) -> None:
        self.table = self.add_weight(
            name="table",
            shape=(self.num_buckets, num_heads),
            initializer=keras.initializers.RandomNormal(stddev=0.02),
        )

    def bias(
        self,
        query: Float[Tensor, "B N T H"],
        query_positions: Int[Tensor, " T"],
        key_positions: Int[Tensor, " S"],
    ) -> Float[Tensor, "1 N T S"]:
        buckets = positions.relative_position_buckets(
            positions.relative_positions(query_positions, key_positions),
            self.num_buckets,
            self.max_distance,
            self.bidirectional,
        )
        bias = ops.take(self.table, buckets, axis=0)  # (T, S, N)
        return ops.transpose(bias, (2, 0, 1))[None]  # (1, N, T, S)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_buckets": self.num_buckets,
            "max_distance": self.max_distance,
            "bidirectional": self.bidirectional,
        }
