"""Boolean masks, True = attend: padding, causal, windowed, combined."""

import numpy as np
from keras import ops

from keras_attention import kernels
from keras_attention.types import Bool, Int, Shaped, Tensor


def both(
    a: Bool[Tensor, "..."] | None, b: Bool[Tensor, "..."] | None
) -> Bool[Tensor, "..."] | None:
    """Returns `a AND b`, where `None` stands for all True."""
    if a is None or b is None:
        return b if a is None else a
    return ops.logical_and(a, b)


def zero_masked(
    x: Shaped[Tensor, "B T ..."], mask: Bool[Tensor, "B T"] | None
) -> Shaped[Tensor, "B T ..."]:
    """Returns `x` with exact zeros where `mask` is False, in place of NaN and Inf too.

    Weights of zero do not suffice: 0 * NaN is NaN, in the forward pass and in the gradients
    of the projections.
    """
    return x if mask is None else kernels.zero_rows(x, mask)


def positions(
    length: int | Int[Tensor, ""], offset: int | Int[Tensor, ""] = 0
) -> Int[Tensor, " T"]:
    """Returns `offset, ..., offset + length - 1`."""
    steps = ops.arange(length, dtype="int32")
    return steps if isinstance(offset, int) and offset == 0 else steps + offset


def count(length: int | Int[Tensor, ""]) -> Int[Tensor, ""]:
    """Returns `length` as a tensor, also if it is a symbol of PyTorch's, which casts fix."""
    return positions(length + 1)[-1]


def causal_mask(
    query_positions: Int[Tensor, " T"],
    key_positions: Int[Tensor, " S"],
    causal: bool = True,
    window: int | None = None,
) -> Bool[Tensor, "T S"]:
    """Returns the keys not after the query, and nearer to it than `window`; `None` for all."""
    if not causal and window is None:
        return None
    distance = query_positions[:, None] - key_positions[None, :]  # (T, S)
    mask = distance >= 0 if causal else None
    if window is not None:
        near = distance < window if causal else ops.abs(distance) < window
        mask = both(mask, near)
    return mask


def expand_attention_mask(
    attention_mask: Bool[Tensor, "B ... T S"] | None,
) -> Bool[Tensor, "B N T S"] | None:
    """Returns a mask `(B, T, S)` or `(B, N, T, S)` as the latter."""
    if attention_mask is None or len(attention_mask.shape) == 4:
        return attention_mask
    return attention_mask[:, None]


def combine(
    *,
    query_mask: Bool[Tensor, "B T"] | None = None,
    key_mask: Bool[Tensor, "B S"] | None = None,
    attention_mask: Bool[Tensor, "B ... T S"] | None = None,
    order: Bool[Tensor, "B N T S"] | None = None,
) -> Bool[Tensor, "B N T S"] | None:
    """Returns all masks ANDed, broadcastable to `(B, N, T, S)`; `None` where nothing is masked.

    Args:
        query_mask, key_mask: of padding.
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


def visible_queries(mask: Bool[Tensor, "B N T S"] | None) -> Bool[Tensor, "B T"] | None:
    """Returns whether a query may attend to anything, in any head, by `combine`'s mask."""
    return None if mask is None else ops.any(mask, axis=(1, 3))


def first_valid(mask: Bool[Tensor, "B T"]) -> Int[Tensor, " B"]:
    """Returns the index of the first True of a padding mask, which is 0 unless left-padded."""
    return ops.argmax(ops.cast(mask, "int32"), axis=-1)


def take_queries(
    mask: Shaped[Tensor, "..."] | None, rows: np.ndarray, axis: int
) -> Shaped[Tensor, "..."] | None:
    """Returns some rows of a mask or bias of queries along `axis`, unless it broadcasts there."""
    return mask if mask is None or mask.shape[axis] == 1 else ops.take(mask, rows, axis=axis)
