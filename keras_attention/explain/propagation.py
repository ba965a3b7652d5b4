"""Attention through all layers of a model: rollout, and relevance.

In NumPy, on weights that were recorded; `explain.methods` calls these with a model.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keras_attention.explain.streams import Read, Stream, Streams
from keras_attention.ops import checks

_FUSIONS = {"mean": np.mean, "max": np.max, "min": np.min}


def fused(weights: Any, head_fusion: str = "mean", discard_ratio: float = 0.0) -> np.ndarray:
    """`(B, N, T, S)` weights of heads as one `(B, T, S)`.

    Args:
        weights: `(B, N, T, S)`, or `(B, N, E)` of edges.
        head_fusion: `"mean"`, `"max"` or `"min"` over heads.
        discard_ratio: share of each map's entries, the lowest ones, that become zero.
    """
    checks.one_of("head_fusion", head_fusion, tuple(_FUSIONS))
    checks.rate(discard_ratio=discard_ratio)
    weights = _FUSIONS[head_fusion](np.asarray(weights, np.float64), axis=1)
    lost = int(discard_ratio * weights[0].size)
    if lost:
        flat = weights.reshape(len(weights), -1).copy()
        np.put_along_axis(flat, np.argpartition(flat, lost - 1, axis=1)[:, :lost], 0, axis=1)
        weights = flat.reshape(weights.shape)
    return weights


def rollout_matrix(
    maps: Mapping[str, Any] | Sequence[Any],
    *,
    head_fusion: str = "mean",
    discard_ratio: float = 0.0,
    residual: bool = True,
) -> np.ndarray:
    """Attention rollout of Abnar and Zuidema, 2020 (https://aclanthology.org/2020.acl-main.385,
    section 3): the product of the layers' `(A + I)`, each row divided by its sum.

    Args:
        maps: weights `(B, N, T, T)` of the self-attention of each layer, the first one first.
        head_fusion: how heads become one: `"mean"`, as in the paper, `"max"` or `"min"`.
        discard_ratio: share of each layer's entries, the lowest ones, that are left out.
        residual: whether to add I, which stands for the residual connection.

    Returns:
        `(B, T, T)` float64: how much of each last position comes from each first one. Rows sum
        to 1, but those that attend to nothing without a residual.

    Raises:
        ValueError: a map is not square, or differs from the others.
    """
    layers = list(maps.values()) if isinstance(maps, Mapping) else list(maps)
    if not layers:
        raise ValueError("`maps` must have the weights of a layer at least. Received: none")
    stream = Stream("maps")
    reads, weights = [], {}
    for i, layer in enumerate(layers):
        layer = np.asarray(layer)
        if (
            layer.ndim != 4
            or layer.shape[2] != layer.shape[3]
            or layer.shape[0::2] != (layers[0].shape[0::2])
        ):
            raise ValueError(
                "`maps` must have weights (B, N, T, T) of self-attention, of one length. "
                f"Received: shapes {[np.shape(x) for x in layers]}"
            )
        reads.append(Read(str(i), stream, stream))
        weights[str(i)] = fused(layer, head_fusion, discard_ratio)
    return rolled(reads, weights, residual=residual)[stream, stream]


def rolled(
    reads: Sequence[Read], weights: Mapping[str, np.ndarray], *, residual: bool = True
) -> "_Relations":
    """Rollout along the streams of a model.

    Cross-attention goes between the rollouts of its two sides; of several layers of it the last
    one counts, as in the comparison of Chefer et al., 2021, section 4.
    """
    found = _Relations(reads, weights)
    for read in reads:
        a = weights[read.path]
        if read.query == read.key:
            a = _by_row(a + np.eye(a.shape[-1]) if residual else a)
            for key in found.of(read.query):
                found[read.query, key] = a @ found[read.query, key]
        else:
            before = found[read.query, read.query] @ a
            for key in found.of(read.key):
                if key != read.query:
                    found[read.query, key] = before @ found[read.key, key]
    return found


def relevant(reads: Sequence[Read], weights: Mapping[str, np.ndarray]) -> "_Relations":
    """Relevance of Chefer et al., 2021 (https://arxiv.org/abs/2103.15679, section 3.2).

    Args:
        reads: the attention of a model in the order of its calls.
        weights: `(B, T, S)` of each: the mean over heads of the positive part of weights times
            their gradient (equation 5).
    """
    found = _Relations(reads, weights)
    for read in reads:
        a, own = weights[read.path], read.query
        if own == read.key:  # equations 6 and 7
            for key in found.of(own):
                found[own, key] = found[own, key] + a @ found[own, key]
            continue
        before = np.swapaxes(_normalised(found[own, own]), 1, 2) @ a
        update = {read.key: before @ _normalised(found[read.key, read.key])}  # equation 10
        for key in found.of(read.key):
            if key == own:
                update[key] = a @ found[read.key, own]  # equation 11
            elif key != read.key:  # what the other side had read before
                update[key] = before @ found[read.key, key]
        for key, more in update.items():
            found[own, key] = found[own, key] + more
    return found


class _Relations(dict):
    """`(B, T, S)` by streams; the identity of a stream to itself, zeros to others, at first."""

    def __init__(self, reads: Sequence[Read], weights: Mapping[str, np.ndarray]) -> None:
        super().__init__()
        self.lengths: dict[Stream, int] = {}
        for read in reads:
            self.batch, self.lengths[read.query], self.lengths[read.key] = weights[read.path].shape

    def __missing__(self, streams: tuple[Stream, Stream]) -> np.ndarray:
        query, key = streams
        shape = (self.batch, self.lengths[query], self.lengths[key])
        self[streams] = np.broadcast_to(np.eye(shape[1]) if query == key else 0.0, shape)
        return self[streams]

    def of(self, query: Stream) -> list[Stream]:
        """The streams that a stream goes back to, itself among them."""
        return [*{query: None, **{key: None for first, key in self if first == query}}]


def at_input(found: "_Relations", streams: Streams, name: str, size: int, rows: Any) -> np.ndarray:
    """Scores `(B, size)` of the positions of an input.

    Args:
        found: of `rolled` or `relevant`.
        streams: of the model.
        name: of the input.
        size: its positions, where no attention read them as they are.
        rows: which row of the output's sequence `(B,)`; or weights of rows `(B, T)`.
    """
    target = streams.inputs[name]
    found.lengths.setdefault(target, size)
    back = _back(found, streams.output, target)
    if back is None:
        raise ValueError(
            f"No attention that was recorded goes from the output to the input {name!r}. Use a "
            "method that needs no attention, such as `integrated_gradients`."
        )
    rows = np.asarray(rows)
    if rows.ndim == 1:
        return np.take_along_axis(back, rows[:, None, None], axis=1)[:, 0]
    return np.einsum("bt,bts->bs", rows, back)


def _back(found: "_Relations", query: Stream, target: Stream) -> np.ndarray | None:
    """How the positions of a stream go back to those of an input, `(B, T, S)`, if they do."""
    total = None
    for key in found.of(query):
        begun = _begun(found, key, target)
        if begun is not None:
            more = found[query, key] @ begun
            total = more if total is None else total + more
    return total


def _begun(found: "_Relations", stream: Stream, target: Stream) -> np.ndarray | None:
    """The same, of what a stream was before its attention: an input, or parts put together."""
    if stream == target:
        size = found.lengths[target]
        return np.broadcast_to(np.eye(size), (found.batch, size, size))
    total, first = None, 0
    for part, start in stream.parts:
        first = first if start is None else start
        if part not in found.lengths:  # of no attention of its own: the rest
            found.lengths[part] = found.lengths[stream] - first
        back = _back(found, part, target)
        if back is not None:
            size = found.lengths[stream]
            room = ((0, 0), (first, size - first - back.shape[1]), (0, 0))
            total = (0 if total is None else total) + np.pad(back, room)
        first += found.lengths[part]
    return total


def through_edges(
    weights: Sequence[np.ndarray], edges: np.ndarray, position: np.ndarray, num_nodes: int
) -> np.ndarray:
    """Relevance of nodes by graph attention, `R = R + A R`, of the row of one node.

    Backwards from that row, in time and memory linear in the edges.

    Args:
        weights: `(B, E)` of each layer, the first one first.
        edges: `(B, E, 2)` pairs (source, target), padded with -1.
        position: `(B,)` nodes.
        num_nodes: N.

    Returns:
        `(B, N)`.
    """
    return _through_edges(weights, edges, position, num_nodes, lambda row, sums: (row, row))


def rolled_through_edges(
    weights: Sequence[np.ndarray],
    edges: np.ndarray,
    position: np.ndarray,
    num_nodes: int,
    *,
    self_loops: bool,
) -> np.ndarray:
    """Rollout of nodes by graph attention; arguments as of `through_edges`.

    No identity is added, as there is no residual connection; what a node's edges leave of 1 is the
    weight of its own loop, where the layer has one.
    """

    def split(row: np.ndarray, sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        own = np.maximum(1 - sums, 0) if self_loops else 0.0
        return row * own, row

    return _through_edges(weights, edges, position, num_nodes, split)


def _through_edges(
    weights: Sequence[np.ndarray], edges: np.ndarray, position: Any, num_nodes: int, split: Any
) -> np.ndarray:
    scores = np.zeros((len(edges), num_nodes))
    for b, pairs in enumerate(edges):
        real = (pairs >= 0).all(axis=-1)
        source, target = pairs[real].T
        row = np.zeros(num_nodes)
        row[position[b]] = 1
        for layer in reversed(weights):
            of_edges = np.asarray(layer[b], np.float64)[real]
            kept, passed = split(row, np.bincount(target, of_edges, num_nodes))
            row = kept + np.bincount(source, passed[target] * of_edges, num_nodes)
        scores[b] = row
    return scores


def _by_row(a: np.ndarray) -> np.ndarray:
    """Rows divided by their sum, where it is not zero."""
    sums = a.sum(axis=-1, keepdims=True)
    return np.divide(a, sums, out=np.zeros_like(a), where=sums != 0)


def _normalised(relation: np.ndarray) -> np.ndarray:
    """Equations 8 and 9: what was added to the identity weighs as much as the identity."""
    identity = np.eye(relation.shape[-1])
    return _by_row(relation - identity) + identity
