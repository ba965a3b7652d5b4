"""Attention by blocks of queries, each on the keys that it can reach."""

from keras import ops

from keras_attention import kernels
from keras_attention.ops import masks
from keras_attention.ops.visibility import Span


def attention(attend, query, key, value, *, mask, bias, band, rows):
    """`(B, N, T, H)` on `(B, K, S, H)`, `rows` queries at a time. T and S must be known.

    Args:
        attend: `f(index, query, key, value, mask, bias)`, attention of block `index`.
        band: the keys that a query can reach.
    """
    length, key_length = query.shape[2], key.shape[2]
    causal, window = band
    # Blocks of keys put together again have gradients of their size; slices, that of all keys.
    keys, values = (None if window is None else kernels.blocks(x, rows) for x in (key, value))
    outputs = []
    for index, q in enumerate(kernels.blocks(query, rows)):
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
        order = band.order(Span(last + 1 - first, first), Span(stop - start, start))
        seen = masks.both(_part(mask, first, last + 1, start, stop), order)
        outputs.append(attend(index, q, k, v, seen, _part(bias, first, last + 1, start, stop)))
    return ops.concatenate(outputs, axis=2)


def _part(x, first, last, start, stop):
    """Of a mask or bias, broadcastable to `(B, N, T, S)`."""
    if x is None:
        return None
    x = x if x.shape[2] == 1 else x[:, :, first:last]
    return x if x.shape[3] == 1 else x[..., start:stop]
