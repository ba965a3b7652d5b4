"""Attention along a list of edges, in memory that grows with their number."""

from typing import Any

from keras import ops

from keras_attention import kernels
from keras_attention.layers.attention.graph_scores import Dropout, Score
from keras_attention.ops import graph, masks
from keras_attention.types import Bool, Float, Int, Shaped, Tensor


class SparseGraph:
    """The edges of a batch of graphs: those of one graph of all their nodes.

    Args:
        edges: (source, target), padded by -1.
        edge_features: of the edges.
        num_nodes: N, of each graph.
        node_mask: a masked node has no edges.
        self_loops: whether every node attends to itself too, once.

    Raises:
        ValueError: an edge to a node that does not exist, where values can be looked at.
    """

    def __init__(
        self,
        edges: Int[Tensor, "B E 2"],
        edge_features: Float[Tensor, "B E F_e"] | None,
        num_nodes: Any,
        node_mask: Bool[Tensor, "B N"] | None,
        *,
        self_loops: bool,
    ) -> None:
        self._node_mask = node_mask
        self._self_loops = self_loops
        self._edges, self._outside = graph.flatten_edges(edges, num_nodes, node_mask)
        if kernels.is_concrete(self._outside):
            if ops.convert_to_numpy(self._outside).any():
                _refuse_outside(edges, num_nodes)
            self._outside = None
        self._features = None
        if edge_features is not None:
            flat = ops.reshape(edge_features, (-1, edge_features.shape[-1]))
            self._features = masks.zero_masked(flat, self._edges.real)
        self._loops = None  # (M,): edges that are loops, whose place is beside the edges
        if self_loops:
            source, target, real = self._edges
            self._loops = ops.logical_and(real, source == target)
            real = ops.logical_and(real, ops.logical_not(self._loops))
            self._edges = self._edges._replace(real=real)

    def attend(
        self,
        score: Score,
        x: Float[Tensor, "B N F"],
        *,
        drop: Dropout,
        nudge: Float[Tensor, "B heads E"] | None,
        return_weights: bool,
    ) -> tuple[
        Float[Tensor, "B N heads H"], Float[Tensor, "B heads E"] | None, Bool[Tensor, "B N"] | None
    ]:
        """Returns the output, the weights if asked for, and which nodes attend to anything."""
        batch, nodes, width = ops.shape(x)
        x = ops.reshape(x, (batch * nodes, width))
        values, logits = score.of_edges(x, self._edges, self._features, self_loops=self._self_loops)
        output, weights = graph.attend(
            values, logits.edges, logits.loops, logits.highest, self._edges, drop
        )
        if nudge is not None:
            output = output + self._weigh_by(nudge, values)
        output = ops.reshape(output, (batch, nodes, *ops.shape(values)[1:]))
        visible = self._node_mask
        if not self._self_loops:
            visible = ops.reshape(weights.total[:, 0] != 0, (batch, nodes))
        if not return_weights:
            return output, None, visible
        of_edges = graph.normalise(weights, self._edges, self._loops)
        of_edges = ops.reshape(of_edges, (batch, -1, values.shape[1]))
        return output, ops.transpose(of_edges, (0, 2, 1)), visible

    def _weigh_by(self, nudge: Float[Tensor, "B heads E"], values: Tensor) -> Tensor:
        """Returns the sum of each node's sources, weighted by a nudge."""
        real = self._edges.real
        if self._loops is not None:
            real = ops.logical_or(real, self._loops)
        nudge = ops.reshape(ops.transpose(nudge, (0, 2, 1)), (-1, values.shape[1]))
        nudge = ops.cast(ops.where(real[:, None], nudge, 0.0), values.dtype)
        source, target, _ = self._edges
        return kernels.weighted_segment_sum(values, nudge, source, target, ops.shape(values)[0])

    def spoil(self, output: Shaped[Tensor, "B N D"]) -> Shaped[Tensor, "B N D"]:
        """Returns NaN for graphs with an edge to a node that does not exist.

        Inside a compiled function values cannot be looked at, so no error can say it.
        """
        if self._outside is None:
            return output
        bad = ops.where(self._outside, ops.cast(float("nan"), output.dtype), 0.0)
        return output + bad[:, None, None]


def _refuse_outside(edges: Any, num_nodes: int) -> None:
    pairs = ops.convert_to_numpy(edges).reshape(-1, 2)
    bad = pairs[((pairs < 0) | (pairs >= num_nodes)).any(-1) & (pairs != -1).any(-1)]
    raise ValueError(
        f"`edges` must be between nodes 0 and {num_nodes - 1}, or (-1, -1) for padding. "
        f"Received: {len(bad)} others, the first {tuple(bad[0].tolist())}, for {num_nodes} nodes"
    )
