"""Attention over the edges of graphs, in memory linear in the edges."""

from keras import ops

from keras_attention import kernels
from keras_attention.ops.precision import at_least_float32


def segment_softmax(logits, segment_ids, num_segments):
    """Softmax among the rows that share an id: `(E, N)` logits to `(E, N)` weights.

    In float32 at least. Rows whose id is `num_segments` belong to no segment and weigh zero.
    """
    logits = at_least_float32(logits)
    top = kernels.segment_max(logits, segment_ids, num_segments + 1)
    shifted = logits - ops.stop_gradient(ops.take(top, segment_ids, axis=0))
    real = (segment_ids < num_segments)[:, None]
    exp = ops.where(real, ops.exp(shifted), 0.0)
    total = kernels.segment_sum(exp, segment_ids, num_segments + 1)
    return exp / ops.maximum(ops.take(total, segment_ids, axis=0), 1e-30)


def flatten_edges(edges, num_nodes, node_mask=None):
    """The edges of a batch of graphs as edges of one graph of B x N nodes.

    Args:
        edges: `(B, E, 2)` pairs (source, target), padded by -1.
        num_nodes: N.
        node_mask: `(B, N)`; edges that touch a masked node are dropped.

    Returns:
        source `(B * E,)`, target `(B * E,)`: a dropped edge has source 0 and the target B x N,
        which is no node.
    """
    batch = ops.shape(edges)[0]
    edges = ops.cast(edges, "int32")
    source, target = edges[..., 0], edges[..., 1]
    valid = ops.logical_and(source >= 0, target >= 0)
    valid = ops.logical_and(valid, ops.logical_and(source < num_nodes, target < num_nodes))
    shift = ops.arange(batch, dtype="int32")[:, None] * num_nodes  # (B, 1)
    source = ops.reshape(ops.where(valid, source + shift, 0), (-1,))
    target = ops.reshape(ops.where(valid, target + shift, 0), (-1,))
    valid = ops.reshape(valid, (-1,))
    if node_mask is not None:
        seen = ops.reshape(node_mask, (-1,))
        ends = ops.logical_and(ops.take(seen, source), ops.take(seen, target))
        valid = ops.logical_and(valid, ends)
    return ops.where(valid, source, 0), ops.where(valid, target, batch * num_nodes)


def edges_outside(edges, num_nodes):
    """`(B,)`: whether a graph has an edge to a node that it does not have.

    Valid ends are 0 to `num_nodes` - 1; a padded edge is (-1, -1).
    """
    edges = ops.cast(edges, "int32")
    padded = ops.all(edges == -1, axis=-1)
    inside = ops.all(ops.logical_and(edges >= 0, edges < num_nodes), axis=-1)
    return ops.logical_not(ops.all(ops.logical_or(padded, inside), axis=-1))
