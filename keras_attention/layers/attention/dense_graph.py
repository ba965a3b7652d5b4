"""Attention under a dense adjacency, N x N for each graph."""

from keras import ops

from keras_attention.layers.attention.graph_scores import Dropout, Score
from keras_attention.ops import attention, masks
from keras_attention.types import Bool, Float, Shaped, Tensor


class DenseGraph:
    """The adjacency of a batch of graphs.

    Args:
        adjacency: not zero at `[i, j]` if node i attends to j.
        node_mask: a masked node has no edges.
        self_loops: whether every node attends to itself too.
    """

    def __init__(
        self,
        adjacency: Shaped[Tensor, "B N N"],
        node_mask: Bool[Tensor, "B N"] | None,
        *,
        self_loops: bool,
    ) -> None:
        sees = ops.not_equal(adjacency, ops.zeros((), adjacency.dtype))
        if self_loops:
            steps = masks.positions(ops.shape(adjacency)[1])
            sees = ops.logical_or(sees, (steps[:, None] == steps[None])[None])
        self._sees = masks.combine(  # (B, 1, N, N)
            query_mask=node_mask, key_mask=node_mask, attention_mask=sees
        )

    def attend(
        self,
        score: Score,
        x: Float[Tensor, "B N F"],
        *,
        drop: Dropout,
        nudge: Float[Tensor, "B heads N N"] | None,
        return_weights: bool,
    ) -> tuple[
        Float[Tensor, "B N heads H"], Float[Tensor, "B heads N N"] | None, Bool[Tensor, "B N"]
    ]:
        """Returns the output, the weights if asked for, and which nodes attend to anything."""
        values, logits = score.of_pairs(x)
        weights = attention.masked_softmax(logits, self._sees)
        used = drop(weights if nudge is None else weights + nudge)
        output = ops.transpose(attention.weighted_sum(used, values), (0, 2, 1, 3))
        visible = masks.visible_queries(self._sees)
        return output, weights if return_weights else None, visible

    def spoil(self, output: Shaped[Tensor, "B N D"]) -> Shaped[Tensor, "B N D"]:
        """Returns `output`: an adjacency has no edge to a node that does not exist."""
        return output
