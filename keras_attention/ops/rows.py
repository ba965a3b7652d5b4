"""Attention by blocks of queries, each on the keys that it can reach."""

import numpy as np
from keras import ops

from keras_attention import kernels
from keras_attention.ops import masks


def attention(attend, query, key, value, *, mask, bias, causal, window, rows):
    """`(B, N, T, H)` on `(B, K, S, H)`, `rows` queries at a time. T and S must be known.

    Args:
        attend: `f(index, query, key, value, mask, bias)`, attention of block `index`.
    """
    length, key_length = query.shape[2], key.shape[2]
    # Blocks of keys put together again have gradients of their size; slices, that of all keys.
    keys, values = (None if window is None else kernels.split_blocks(x, rows) for x in (key, value))
    outputs = []
    for index, q in enumerate(kernels.split_blocks(query, rows)):
        first, last = index * rows, min((index + 1) * rows, length) - 1
        start = 0 if window is None else max(0, first - window + 1) // rows * rows
        stop = key_length if window is None else min(key_length, last + window)
        stop = min(stop, last + 1) if causal else stop
        if keys is None:
            k, v = key[:, :, :stop], value[:, :, :stop]
        else:
            stop = min(-(-stop // rows) * rows, key_length)
            k, v = (
                ops.concatenate(x[start // rows : -(-stop // rows)], axis=2) for x in (keys, values)
            )
        t = ops.arange(first, last + 1, dtype="int32")
        order = masks.causal_mask(t, ops.arange(start, stop, dtype="int32"), causal, window)
        seen = _part(mask, first, last + 1, start, stop)
        seen = masks.both(seen, None if order is None else order[None, None])
        outputs.append(attend(index, q, k, v, seen, _part(bias, first, last + 1, start, stop)))
    return ops.concatenate(outputs, axis=2)


def take(x, rows):
    """Some rows of a mask or bias, broadcastable to `(..., T, S)`; `None` stays."""
    return x if x is None or x.shape[-2] == 1 else ops.take(x, rows, axis=-2)


def put(x, rows, found, *, axis):
    """`x` with the rows of `found` in place of its own `rows` along an axis of known length."""
    length = x.shape[axis]
    place = np.zeros(length, np.int32)
    place[rows] = np.arange(len(rows))
    chosen = np.isin(np.arange(length), rows)
    chosen = chosen.reshape(length, *[1] * (len(x.shape) - axis - 1))
    return ops.where(chosen, ops.take(found, place, axis=axis), x)


def _part(x, first, last, start, stop):
    """Of a mask or bias, broadcastable to `(B, N, T, S)`."""
    if x is None:
        return None
    x = x if x.shape[2] == 1 else x[:, :, first:last]
    return x if x.shape[3] == 1 else x[..., start:stop]
