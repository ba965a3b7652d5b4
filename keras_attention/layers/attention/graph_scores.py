"""The scores of graph attention, each beside the equation of its paper.

Node i, the target of an edge, attends to its neighbour j, the source. N nodes, M edges; nodes and
edges of all graphs of a batch are numbered through.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from keras import ops

from keras_attention import kernels
from keras_attention.ops import additive, graph
from keras_attention.ops.precision import at_least_float32
from keras_attention.types import Float, Tensor


class EdgeLogits(NamedTuple):
    """The logits of a softmax over each node's incoming edges and its own loop.

    Attributes:
        edges: `graph.LOWEST` where an edge is not there.
        loops: of nodes to themselves, as if each had a loop.
        highest: a node's highest logit or a bound above it, for the softmax to subtract.
    """

    edges: Float[Tensor, "M heads"]
    loops: Float[Tensor, "N heads"] | None
    highest: Float[Tensor, "N heads"]


@dataclass(frozen=True)
class GAT:
    """`LeakyReLU(a . [W h_i || W h_j])`, Velickovic et al., 2018, within equation 3.

    The vector a has a part for each of both ends, and `a . W h` is `(W a) . h`, so all that an edge
    reads are two numbers per head: `(W a_target) . h_i + (W a_source) . h_j`. An edge with
    features e_ij adds `(W_e a_e) . e_ij`.

    Attributes:
        kernel: W, `(F, heads * H)`.
        source, target: parts of a, `(heads, H)`.
        edge_kernel, edge: W_e, `(F_e, heads * H)`, and a_e; `None` without features of edges.
        negative_slope: of the LeakyReLU.
    """

    kernel: Tensor
    source: Tensor
    target: Tensor
    edge_kernel: Tensor | None
    edge: Tensor | None
    negative_slope: float

    def of_edges(
        self,
        x: Float[Tensor, "N F"],
        edges: graph.Edges,
        edge_features: Float[Tensor, "M F_e"] | None,
        *,
        self_loops: bool,
    ) -> tuple[Float[Tensor, "N heads H"], EdgeLogits]:
        """Returns the values of the nodes, which edges weigh, and the logits."""
        num_nodes = ops.shape(x)[0]
        ends = _project_onto(self.kernel, [self.source, self.target], x)
        source, target = ops.split(ends, 2, axis=-1)  # (N, heads)
        lowest, highest = ops.amin(source, axis=0), ops.amax(source, axis=0)
        logits = kernels.take_rows(source, edges.source) + kernels.take_rows(target, edges.target)
        loops = source + target
        if edge_features is not None and edge_features.shape[0] != 0:
            edge = _project_onto(self.edge_kernel, [self.edge], edge_features)
            lowest = lowest + ops.minimum(ops.amin(edge, axis=0), 0.0)  # 0: loops of lone nodes
            highest = highest + ops.maximum(ops.amax(edge, axis=0), 0.0)
            logits = logits + edge
            loops = loops + graph.mean_by_target(edge, edges, num_nodes)
        logits = ops.where(edges.real[:, None], self._leaky_relu(logits), graph.LOWEST)
        loops = self._leaky_relu(loops) if self_loops else None
        if 0 <= self.negative_slope <= 1:
            top = graph.highest_logit_or_bound(
                logits, loops, self._leaky_relu, target, lowest, highest, edges
            )
        else:
            top = graph.highest_logit(logits, loops, edges, num_nodes)
        return self._project(x), EdgeLogits(logits, loops, top)

    def of_pairs(
        self, x: Float[Tensor, "B N F"]
    ) -> tuple[Float[Tensor, "B heads N H"], Float[Tensor, "B heads N N"]]:
        """Returns the values of the nodes, and the logits `[i, j]` of all pairs."""
        values = ops.transpose(self._project(x), (0, 2, 1, 3))  # (B, heads, N, H)
        source = ops.sum(values * self.source[:, None], axis=-1)  # (B, heads, N)
        target = ops.sum(values * self.target[:, None], axis=-1)
        return values, self._leaky_relu(target[..., :, None] + source[..., None, :])

    def _project(self, x: Tensor) -> Tensor:
        return _split_heads(kernels.multiply(x, self.kernel), like=self.source)

    def _leaky_relu(self, x: Tensor) -> Tensor:
        return ops.leaky_relu(x, self.negative_slope)


@dataclass(frozen=True)
class GATv2:
    """`a . LeakyReLU(W_target h_i + W_source h_j)`, Brody et al., 2022, within equation 7.

    An edge with features e_ij adds `W_e e_ij` inside of the LeakyReLU.

    Attributes:
        source, target: kernels `(F, heads * H)`; the same one if they are shared.
        source_bias, target_bias: `(heads * H,)`, or `None`.
        vector: a, `(heads, H)`.
        edge_kernel: W_e, `(F_e, heads * H)`; `None` without features of edges.
        negative_slope: of the LeakyReLU.
    """

    source: Tensor
    source_bias: Tensor | None
    target: Tensor
    target_bias: Tensor | None
    vector: Tensor
    edge_kernel: Tensor | None
    negative_slope: float

    def of_edges(
        self,
        x: Float[Tensor, "N F"],
        edges: graph.Edges,
        edge_features: Float[Tensor, "M F_e"] | None,
        *,
        self_loops: bool,
    ) -> tuple[Float[Tensor, "N heads H"], EdgeLogits]:
        """Returns the values of the nodes, which edges weigh, and the logits."""
        num_nodes = ops.shape(x)[0]
        source, target = self._of_ends(x)
        hidden = kernels.take_rows(source, edges.source) + kernels.take_rows(target, edges.target)
        loops = source + target
        if edge_features is not None:
            hidden = hidden + self._project(edge_features, self.edge_kernel)
            means = graph.mean_by_target(edge_features, edges, num_nodes)
            loops = loops + self._project(means, self.edge_kernel)
        logits = ops.where(edges.real[:, None], self._score(hidden), graph.LOWEST)
        loops = self._score(loops) if self_loops else None
        top = graph.highest_logit(logits, loops, edges, num_nodes)
        return source, EdgeLogits(logits, loops, top)

    def of_pairs(
        self, x: Float[Tensor, "B N F"]
    ) -> tuple[Float[Tensor, "B heads N H"], Float[Tensor, "B heads N N"]]:
        """Returns the values of the nodes, and the logits `[i, j]` of all pairs."""
        source, target = (ops.transpose(end, (0, 2, 1, 3)) for end in self._of_ends(x))
        return source, additive.scores(target, source, self.vector, self._leaky_relu)

    def _of_ends(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Returns nodes `(..., F)` as source and as target: each `(..., heads, H)`."""
        source = self._project(x, self.source, self.source_bias)
        if self.target is self.source:
            return source, source
        return source, self._project(x, self.target, self.target_bias)

    def _project(self, x: Tensor, kernel: Tensor, bias: Tensor | None = None) -> Tensor:
        projected = kernels.multiply(x, kernel)
        projected = projected if bias is None else projected + bias
        return _split_heads(projected, like=self.vector)

    def _score(self, hidden: Tensor) -> Tensor:
        """Returns `a . LeakyReLU(hidden)` of `(..., heads, H)`: `(..., heads)`."""
        return at_least_float32(ops.sum(self._leaky_relu(hidden) * self.vector, axis=-1))

    def _leaky_relu(self, x: Tensor) -> Tensor:
        return ops.leaky_relu(x, self.negative_slope)


Score = GAT | GATv2
Dropout = Callable[[Tensor], Tensor]  # of weights


def _split_heads(x: Tensor, *, like: Float[Tensor, "heads H"]) -> Tensor:
    """`(..., heads * H)` to `(..., heads, H)`."""
    return ops.reshape(x, (*ops.shape(x)[:-1], *like.shape))


def _project_onto(kernel: Tensor, vectors: list[Tensor], x: Tensor) -> Tensor:
    """Returns `vector . kernel x` of each vector and head: `(..., vectors * heads)`."""
    by_head = _split_heads(kernels.value_of(kernel), like=vectors[0])  # (F, heads, H)
    folded = [ops.sum(by_head * vector, axis=-1) for vector in vectors]
    return at_least_float32(ops.matmul(x, ops.concatenate(folded, axis=-1)))
