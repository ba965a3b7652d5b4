"""Attention by blocks of queries, each on the keys that it can reach."""

from collections.abc import Callable

import numpy as np
from keras import ops

from keras_attention import kernels
from keras_attention.ops import masks
from keras_attention.ops.visibility import Band, Span
from keras_attention.types import Bool, Float, Shaped, Tensor


def attention(
    attend: Callable[..., Tensor],
    query: Float[Tensor, "B N T H"],
    key: Float[Tensor, "B K S H"],
    value: Float[Tensor, "B K S H"],
    *,
    mask: Bool[Tensor, "B N T S"] | None,
    bias: Float[Tensor, "B N T S"] | None,
    band: Band,
    rows: int,
) -> Float[Tensor, "B N T H"]:
    """Returns attention of `rows` queries at a time. T and S must be known.

    Args:
        attend: `f(index, query, key, value, mask, bias)`, attention of block `index`.
        band: the keys that a query can reach.
    """
    length, key_length = query.shape[2], key.shape[2]
    causal, window = band
    near = [] if window is None else [kernels.spans(x, rows) for x in (key, value)]
    orders: dict[tuple[int, int, int], Tensor | None] = {}  # most blocks have the same
    outputs = []
    for index, q in enumerate(kernels.split_blocks(query, rows)):
        first, last = index * rows, min((index + 1) * rows, length) - 1
        start = 0 if window is None else max(0, first - window + 1) // rows * rows
        stop = key_length if window is None else min(key_length, last + window)
        stop = min(stop, last + 1) if causal else stop
        if window is None:
            k, v = key[:, :, :stop], value[:, :, :stop]
        else:
            stop = min(-(-stop // rows) * rows, key_length)
            k, v = (span(start, stop) for span in near)
        place = (last + 1 - first, first - start, stop - start)
        if place not in orders:
            orders[place] = band.order(Span(place[0], place[1]), Span(place[2]))
        seen = masks.both(_part(mask, first, last + 1, start, stop), orders[place])
        outputs.append(attend(index, q, k, v, seen, _part(bias, first, last + 1, start, stop)))
    return ops.concatenate(outputs, axis=2)


def put(
    x: Shaped[Tensor, "..."], rows: np.ndarray, replacement: Shaped[Tensor, "..."], *, axis: int
) -> Shaped[Tensor, "..."]:
    """Returns `x` with `replacement` in place of its own `rows`, along an axis of known length."""
    length = x.shape[axis]
    place = np.zeros(length, np.int32)
    place[rows] = np.arange(len(rows))
    chosen = np.isin(np.arange(length), rows)
    chosen = chosen.reshape(length, *[1] * (len(x.shape) - axis - 1))
    return ops.where(chosen, ops.take(replacement, place, axis=axis), x)


def _part(
    x: Shaped[Tensor, "B N T S"] | None, first: int, last: int, start: int, stop: int
) -> Shaped[Tensor, "B N t s"] | None:
    """Returns the part of a mask or bias, broadcastable to `(B, N, T, S)`."""
    if x is None:
        return None
    x = x if x.shape[2] == 1 else x[:, :, first:last]
    return x if x.shape[3] == 1 else x[..., start:stop]
