"""Boolean masks, True = attend: padding, causal, windowed, combined."""

from keras import ops


def both(a, b):
    """`a AND b`, where `None` stands for all True."""
    if a is None or b is None:
        return b if a is None else a
    return ops.logical_and(a, b)


def zero_masked(x, mask):
    """`x` `(B, T, ...)` with exact zeros where `mask` `(B, T)` is False, NaN and Inf included.

    Weights of zero do not suffice: 0 * NaN is NaN, in the forward pass and in the gradients
    of the projections.
    """
    if mask is None:
        return x
    mask = ops.reshape(mask, (*ops.shape(mask), *[1] * (len(x.shape) - len(mask.shape))))
    return ops.where(mask, x, 0.0)


def positions(length, offset=0):
    """`offset, ..., offset + length - 1`: `(T,)`."""
    steps = ops.arange(length, dtype="int32")
    return steps if isinstance(offset, int) and offset == 0 else steps + offset


def count(length):
    """`length` as a tensor `()`, also if it is a symbol of PyTorch's, which casts fix."""
    return positions(length + 1)[-1]


def causal_mask(query_positions, key_positions, causal=True, window=None):
    """`(T, S)`: keys not after the query, and nearer to it than `window`; `None` for all."""
    if not causal and window is None:
        return None
    distance = query_positions[:, None] - key_positions[None, :]  # (T, S)
    mask = distance >= 0 if causal else None
    if window is not None:
        near = distance < window if causal else ops.abs(distance) < window
        mask = both(mask, near)
    return mask


def expand_attention_mask(attention_mask):
    """`(B, T, S)` or `(B, N, T, S)` -> `(B, N, T, S)`."""
    if attention_mask is None or len(attention_mask.shape) == 4:
        return attention_mask
    return attention_mask[:, None]


def combine(*, query_mask=None, key_mask=None, attention_mask=None, order=None):
    """All masks ANDed, broadcastable to `(B, N, T, S)`; `None` where nothing is masked.

    Args:
        query_mask: `(B, T)`.
        key_mask: `(B, S)`.
        attention_mask: `(B, T, S)` or `(B, N, T, S)`.
        order: who may see whom, broadcastable to `(B, N, T, S)`.
    """
    mask = expand_attention_mask(attention_mask)
    if key_mask is not None:
        mask = both(mask, key_mask[:, None, None, :])
    if query_mask is not None:
        mask = both(mask, query_mask[:, None, :, None])
    if order is not None:
        mask = both(mask, order)
    return mask


def visible_queries(mask):
    """`(B, T)`: whether a query may attend to anything, in any head; of `combine`'s mask."""
    return None if mask is None else ops.any(mask, axis=(1, 3))


def first_valid(mask):
    """`(B,)`: the index of the first True of a padding mask, which is 0 unless left-padded."""
    return ops.argmax(ops.cast(mask, "int32"), axis=-1)
