"""Attention through all layers of a model: rollout, and relevance.

In NumPy, on weights that were recorded; `explain.methods` calls these with a model.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keras_attention.explain.maps.stream import Read, Stream
from keras_attention.ops import checks

_FUSIONS: dict[str, Any] = {"mean": np.mean, "max": np.max, "min": np.min}


def fuse_heads(weights: Any, head_fusion: str = "mean", discard_ratio: float = 0.0) -> np.ndarray:
    """Returns the weights of heads `(B, N, T, S)` as one `(B, T, S)`.

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
    """Returns the attention rollout of Abnar and Zuidema, 2020 (section 3 of
    https://aclanthology.org/2020.acl-main.385): the product of the layers' `(A + I)`, each
    row divided by its sum.

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
        weights[str(i)] = fuse_heads(layer, head_fusion, discard_ratio)
    return roll_out(reads, weights, residual=residual)[stream, stream]


def roll_out(
    reads: Sequence[Read], weights: Mapping[str, np.ndarray], *, residual: bool = True
) -> "Relations":
    """Returns the rollout along the streams of a model.

    Cross-attention goes between the rollouts of its two sides; of several layers of it the last
    one counts, as in the comparison of Chefer et al., 2021, section 4. (Their code transposes the
    rollout of the queries, by which a decoder's position would go back to later ones.)
    """
    relations = Relations(reads, weights)
    for read in reads:
        a, own = weights[read.path], read.query
        if own == read.key:
            a = _normalize_rows(a + np.eye(a.shape[-1]) if residual else a)
            update = {key: a @ relation for key, relation in relations.of(own, last=True).items()}
        else:
            before = relations.of(own)[own] @ a
            there = relations.of(read.key).items()
            update = {key: before @ relation for key, relation in there if key != own}
        relations.write(own, update)
    return relations


def relate(reads: Sequence[Read], weights: Mapping[str, np.ndarray]) -> "Relations":
    """Returns the relevance of Chefer et al., 2021 (https://arxiv.org/abs/2103.15679, section 3.2).

    Args:
        reads: the attention of a model in the order of its calls.
        weights: `(B, T, S)` of each: the mean over heads of the positive part of weights times
            their gradient (equation 5).
    """
    relations = Relations(reads, weights)
    for read in reads:
        a, own = weights[read.path], read.query
        mine, its = relations.of(own), relations.of(read.key)
        if own == read.key:  # equations 6 and 7
            update = {key: a @ relation for key, relation in its.items()}
        else:
            before = np.swapaxes(_normalize(mine[own]), 1, 2) @ a
            update = {}
            for key, relation in its.items():
                if key == own:
                    update[key] = a @ relation  # equation 11
                elif key == read.key:
                    update[key] = before @ _normalize(relation)  # equation 10
                else:  # what the other side had read before
                    update[key] = before @ relation
        relations.add(own, update)
    return relations


def read_once(read: Read, weights: np.ndarray) -> "Relations":
    """Returns what one layer reads, by its weights `(B, T, S)` as they are."""
    relations = Relations([read], {read.path: weights})
    relations.of(read.query).clear()  # no residual connection
    relations.write(read.query, {read.key: weights})
    return relations


class Relations:
    """How streams go back to what they began as: `(B, T, S)` by streams.

    A stream goes back to itself alone at first, by the identity. What it was before each layer
    that wrote to it is kept: another stream may read it as it was then.

    Attributes:
        lengths: T of each stream.
        sizes: T of streams that no attention reads by themselves, where it is known.
    """

    def __init__(self, reads: Sequence[Read], weights: Mapping[str, np.ndarray]) -> None:
        self.lengths: dict[Stream, int] = {}
        self.sizes: dict[Stream, int] = {}
        self._states: dict[Stream, list[dict[Stream, np.ndarray]]] = {}
        for read in reads:
            self.batch, *sizes = weights[read.path].shape
            for stream, size in zip((read.query, read.key), sizes, strict=True):
                if self.lengths.setdefault(stream, size) != size:
                    raise ValueError(
                        f"The sequence {stream.name!r} has {self.lengths[stream]} positions in one "
                        f"attention layer and {size} in {read.path!r}: they cannot be followed. "
                        "Use a method that needs no attention, such as `integrated_gradients`."
                    )

    def __getitem__(self, streams: tuple[Stream, Stream]) -> np.ndarray:
        query, key = streams
        relations = self.of(query, last=True).get(key)
        shape = (self.batch, self.lengths[query], self.lengths[key])
        return np.zeros(shape) if relations is None else relations

    def of(self, query: Stream, *, last: bool = False) -> dict[Stream, np.ndarray]:
        """Returns what a stream goes back to, by streams, as it was when it was read or at last."""
        if query not in self._states:
            eye = np.eye(self.lengths[query])
            self._states[query] = [{query: np.broadcast_to(eye, (self.batch, *eye.shape))}]
        states = self._states[query]
        if last or query.written is None:
            return states[-1]
        return states[min(query.written, len(states) - 1)]  # not all that is written is followed

    def write(self, query: Stream, update: Mapping[Stream, np.ndarray]) -> None:
        """Adds a state to a stream: the last one, with `update` in place of what it has."""
        state = {**self.of(query, last=True), **update}
        self._states[query].append(state)

    def add(self, query: Stream, update: Mapping[Stream, np.ndarray]) -> None:
        """Adds a state to a stream: the last one, and `update` more."""
        last = self.of(query, last=True)
        self.write(query, {key: last.get(key, 0) + more for key, more in update.items()})


def at_input(
    relations: Relations, output: Stream, target: Stream, rows: np.ndarray
) -> np.ndarray | None:
    """Returns scores `(B, S)` of the positions of an input; `None` where no attention goes to it.

    Args:
        relations: of `roll_out` or `relate`.
        output: the sequence of the output.
        target: that of the input.
        rows: which row of the output's sequence `(B,)`; or weights of rows `(B, T)`.
    """
    back = _back(relations, output, target) if output in relations.lengths else None
    if back is None:
        return None
    if rows.ndim == 1:
        return np.take_along_axis(back, rows[:, None, None], axis=1)[:, 0]
    return np.einsum("bt,bts->bs", rows, back)


def _back(relations: Relations, query: Stream, target: Stream) -> np.ndarray | None:
    """Returns how a stream goes back to an input, `(B, T, S)`, or `None` if it does not."""
    total = None
    for key, relation in relations.of(query).items():
        begun = _begun(relations, key, target)
        if begun is not None:
            more = relation @ begun
            total = more if total is None else total + more
    return total


def _measure_parts(relations: Relations, stream: Stream) -> None:
    """Finds the lengths of parts that no attention of their own tells."""
    unknown = [part for part, _ in stream.parts if part not in relations.lengths]
    for part in unknown:
        if len(unknown) > 1 and part in relations.sizes:
            relations.lengths[part] = relations.sizes[part]
    unknown = [part for part in unknown if part not in relations.lengths]
    if len(unknown) > 1:
        names = ", ".join(repr(part.name) for part in unknown)
        raise ValueError(
            f"The sequence {stream.name!r} is put together of {names}, and where one of them ends "
            "is not known. Use a method that needs no attention, such as `integrated_gradients`."
        )
    for part in unknown:  # the rest
        others = sum(relations.lengths[other] for other, _ in stream.parts if other != part)
        relations.lengths[part] = relations.lengths[stream] - (stream.parts[0][1] or 0) - others


def _begun(relations: Relations, stream: Stream, target: Stream) -> np.ndarray | None:
    """Returns the same of a stream before its attention: an input, or parts put together."""
    if stream == target:
        size = relations.lengths[target]
        return np.broadcast_to(np.eye(size), (relations.batch, size, size))
    total, first, size = None, 0, relations.lengths[stream]
    _measure_parts(relations, stream)
    for part, start in stream.parts:
        first = first if start is None else start % size
        back = _back(relations, part, target)
        if back is not None:
            room = ((0, 0), (first, size - first - back.shape[1]), (0, 0))
            total = (0 if total is None else total) + np.pad(back, room)
        first += relations.lengths[part]
    return total


def relate_through_edges(
    weights: Sequence[np.ndarray], edges: np.ndarray, rows: np.ndarray
) -> np.ndarray:
    """Returns the relevance of nodes by graph attention, `R = R + A R`.

    Backwards from the rows that are read, in time and memory linear in the edges.

    Args:
        weights: `(B, E)` of each layer, the first one first.
        edges: `(B, E, 2)` pairs (source, target), padded with -1.
        rows: `(B, N)` weights of the rows of R that are read.

    Returns:
        `(B, N)`.
    """
    return _go_through_edges(weights, edges, rows, lambda row, sums: (row, row))


def roll_out_through_edges(
    weights: Sequence[np.ndarray], edges: np.ndarray, rows: np.ndarray, *, self_loops: bool
) -> np.ndarray:
    """Returns the rollout of nodes by graph attention; arguments as of `relate_through_edges`.

    No identity is added, as there is no residual connection; what a node's edges leave of 1 is the
    weight of its own loop, where the layer has one.
    """

    def split(row: np.ndarray, sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        own = np.maximum(1 - sums, 0) if self_loops else 0.0
        return row * own, row

    return _go_through_edges(weights, edges, rows, split)


def _go_through_edges(
    weights: Sequence[np.ndarray], edges: np.ndarray, rows: np.ndarray, split: Any
) -> np.ndarray:
    scores = np.zeros(rows.shape)
    nodes = rows.shape[1]
    for b, (pairs, row) in enumerate(zip(edges, rows, strict=True)):
        real = (pairs >= 0).all(axis=-1)
        source, target = pairs[real].T
        for layer in reversed(weights):
            of_edges = np.asarray(layer[b], np.float64)[real]
            kept, passed = split(row, np.bincount(target, of_edges, nodes))
            row = kept + np.bincount(source, passed[target] * of_edges, nodes)
        scores[b] = row
    return scores


def _normalize_rows(a: np.ndarray) -> np.ndarray:
    """Returns rows divided by their sum, where it is not zero."""
    sums = a.sum(axis=-1, keepdims=True)
    return np.divide(a, sums, out=np.zeros_like(a), where=sums != 0)


def _normalize(relation: np.ndarray) -> np.ndarray:
    """Returns a relation in which what was added to the identity weighs as much as the identity.

    Equations 8 and 9.
    """
    identity = np.eye(relation.shape[-1])
    return _normalize_rows(relation - identity) + identity
