"""The interface behind the `position` argument of self-attention."""

from keras_attention.ops.visibility import Span
from keras_attention.types import Float, Int, Tensor


class PositionStrategy:
    """How self-attention knows about positions; by itself, not at all.

    Those that do are layers as well, and values: each attention layer keeps a copy of its own,
    built for queries of shape `(B, N, T, H)`. They override what they change. Positions are
    offset by the index of a cache scope.
    """

    needs_logits = False  # whether it has a `bias`, which only dense attention has a place for
    needs_weights = False  # whether it has a `context`, which rules out a fused kernel

    def build(self, query_shape: tuple) -> None:
        """Makes what it learns, if anything."""

    def rotate(
        self, query: Float[Tensor, "B N T H"], key: Float[Tensor, "B K T H"], span: Span
    ) -> tuple[Float[Tensor, "B N T H"], Float[Tensor, "B K T H"]]:
        """Returns queries and keys of a call, changed by where they stand."""
        return query, key

    def bias(
        self,
        query: Float[Tensor, "B N T H"],
        query_positions: Int[Tensor, " T"],
        key_positions: Int[Tensor, " S"],
    ) -> Float[Tensor, "B N T S"]:
        """Returns what is added to the logits, broadcastable, where `needs_logits`."""
        raise NotImplementedError

    def context(
        self,
        weights: Float[Tensor, "B N T S"],
        query_positions: Int[Tensor, " T"],
        key_positions: Int[Tensor, " S"],
    ) -> Float[Tensor, "B N T H"]:
        """Returns what is added to the attention's output, where `needs_weights`."""
        raise NotImplementedError
