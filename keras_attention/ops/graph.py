"""Attention over the edges of graphs, in memory linear in the edges."""

from collections.abc import Callable
from typing import NamedTuple

from keras import ops

from keras_attention import kernels
from keras_attention.ops.precision import at_least_float32
from keras_attention.types import Bool, Float, Int, Tensor

LOWEST = -1e30  # the logit of an edge that is not there
# Of logits below a bound that no sum of weights underflows within, nor the square of one, which
# gradients divide by: exp(-40)^2 is 2e-35.
_REACH = 40.0


class Edges(NamedTuple):
    """The M = B x E edges of a batch of graphs, as edges of one graph of `nodes` = B x N nodes.

    Attributes:
        source, target: node 0 of its own graph where an edge is not there.
        real: False for padding and where an edge touches a masked node.
    """

    source: Int[Tensor, " M"]
    target: Int[Tensor, " M"]
    real: Bool[Tensor, " M"]


def flatten_edges(
    edges: Int[Tensor, "B E 2"],
    num_nodes: int | Int[Tensor, ""],
    node_mask: Bool[Tensor, "B N"] | None = None,
) -> tuple[Edges, Bool[Tensor, " B"]]:
    """Returns `Edges`, and which graphs have an edge to a node that they do not have.

    Args:
        edges: pairs (source, target), padded by -1.
        num_nodes: N, of each graph.
        node_mask: edges that touch a masked node are not there.
    """
    batch, num_edges = ops.shape(edges)[:2]
    edges = ops.cast(edges, kernels.INDEX_DTYPE)
    source, target = edges[..., 0], edges[..., 1]
    # Both ends are in 0 to N - 1, or both are -1: the two extremes tell.
    least, most = ops.minimum(source, target), ops.maximum(source, target)
    real = ops.logical_and(least >= 0, most < num_nodes)  # (B, E)
    padded = ops.logical_and(least == -1, most == -1)
    outside = ops.logical_not(ops.all(ops.logical_or(real, padded), axis=-1))
    shift = ops.arange(batch, dtype=kernels.INDEX_DTYPE)[:, None] * num_nodes
    source = ops.reshape(ops.where(real, source, 0) + shift, (batch * num_edges,))
    target = ops.reshape(ops.where(real, target, 0) + shift, (batch * num_edges,))
    real = ops.reshape(real, (batch * num_edges,))
    if node_mask is not None:
        seen = ops.reshape(node_mask, (-1,))
        ends = ops.logical_and(kernels.take_rows(seen, source), kernels.take_rows(seen, target))
        real = ops.logical_and(real, ends)
    return Edges(source, target, real), outside


def mean_by_target(
    x: Float[Tensor, "M F"], edges: Edges, num_nodes: int | Int[Tensor, ""]
) -> Float[Tensor, "nodes F"]:
    """Returns the mean of `x` over each node's incoming edges."""
    real = ops.cast(edges.real, x.dtype)[:, None]
    sums = kernels.segment_sum(x * real, edges.target, num_nodes)
    return sums / ops.maximum(kernels.segment_sum(real, edges.target, num_nodes), 1)


def highest_logit(
    logits: Float[Tensor, "M heads"],
    own_logits: Float[Tensor, "nodes heads"] | None,
    edges: Edges,
    num_nodes: int | Int[Tensor, ""],
) -> Float[Tensor, "nodes heads"]:
    """Returns the highest logit among each node's edges and its loop, a constant to gradients.

    Softmax subtracts it to keep its exponentials in range.
    """
    top = kernels.segment_max(ops.stop_gradient(logits), edges.target, num_nodes)
    # Where there is nothing to attend to, edges that are not there must stay far below.
    return ops.maximum(top, LOWEST / 2 if own_logits is None else ops.stop_gradient(own_logits))


def highest_logit_or_bound(
    logits: Float[Tensor, "M heads"],
    own_logits: Float[Tensor, "nodes heads"] | None,
    activation: Callable[[Tensor], Tensor],
    at_target: Float[Tensor, "nodes heads"],
    lowest: Float[Tensor, " heads"],
    highest: Float[Tensor, " heads"],
    edges: Edges,
) -> Float[Tensor, "nodes heads"]:
    """Returns `highest_logit`, or an upper bound where that is near enough.

    No edge need be looked at for the bound. The logits are `activation(x + at_target)`, with `x`
    between `lowest` and `highest`; `activation` grows, at most as steeply as the identity.
    """
    at_target, lowest, highest = map(ops.stop_gradient, (at_target, lowest, highest))
    bound = activation(highest + at_target)
    near = ops.all(bound - activation(lowest + at_target) <= _REACH)  # not if one is NaN
    return kernels.cond(
        near,
        lambda: bound,
        lambda: highest_logit(logits, own_logits, edges, ops.shape(at_target)[0]),
    )


class Weights(NamedTuple):
    """Attention weights before they are divided by their sum.

    Attributes:
        of_edges, of_loops: the latter `None` without self loops.
        total: their sum for each node; 0 if it attends to nothing.
    """

    of_edges: Float[Tensor, "M heads"]
    of_loops: Float[Tensor, "nodes heads"] | None
    total: Float[Tensor, "nodes heads"]


def attend(
    values: Float[Tensor, "nodes heads H"],
    logits: Float[Tensor, "M heads"],
    own_logits: Float[Tensor, "nodes heads"] | None,
    top: Float[Tensor, "nodes heads"],
    edges: Edges,
    drop: Callable[[Tensor], Tensor],
) -> tuple[Float[Tensor, "nodes heads H"], Weights]:
    """Returns each node's sources, weighted by a softmax over its incoming edges and its loop.

    Numerator and denominator are summed apart and divided once per node. A node that attends to
    nothing gets zeros.

    Args:
        values: of the nodes as sources.
        logits: of the edges; `LOWEST` where one is not there.
        own_logits: of the loops; `None` without.
        top: a number near a node's highest logit, which is subtracted and cancels.
        edges: the edges.
        drop: the dropout, a function of weights.
    """
    num_nodes = ops.shape(values)[0]
    summed = at_least_float32(values)
    weights = ops.exp(logits - kernels.take_rows(top, edges.target))
    total = kernels.segment_sum(weights, edges.target, num_nodes)
    output = kernels.weighted_segment_sum(
        summed, drop(weights), edges.source, edges.target, num_nodes
    )
    own = None
    if own_logits is not None:
        own = ops.exp(own_logits - top)
        total = total + own
        output = output + summed * drop(own)[..., None]
    output = output / _divisor(total)[..., None]
    return ops.cast(output, values.dtype), Weights(weights, own, total)


def normalise(
    weights: Weights, edges: Edges, loops: Bool[Tensor, " M"] | None
) -> Float[Tensor, "M heads"]:
    """Returns the softmax of each edge; where `loops` is true, that of the node's own loop."""
    divisor = _divisor(weights.total)
    of_edges = weights.of_edges / kernels.take_rows(divisor, edges.target)
    if loops is None:
        return of_edges
    own = kernels.take_rows(weights.of_loops / divisor, edges.target)
    return ops.where(loops[:, None], own, of_edges)


def _divisor(total: Float[Tensor, "nodes heads"]) -> Float[Tensor, "nodes heads"]:
    return ops.where(total == 0, 1.0, total)
