"""Attention: the masked softmax, scaled dot products."""

from collections.abc import Callable

import keras
from keras import ops

from keras_attention import kernels
from keras_attention.ops import masks, rows, tiled
from keras_attention.ops.precision import at_least_float32
from keras_attention.ops.softmax import PLAIN, Softmax
from keras_attention.ops.visibility import EVERYTHING, Band, Span
from keras_attention.types import Bool, Float, Tensor

_ROWS = 256  # queries of a block, where no window says


def masked_softmax(
    logits: Float[Tensor, "... S"], mask: Bool[Tensor, "... S"] | None = None
) -> Float[Tensor, "... S"]:
    """Returns the softmax over the last axis, in float32 at least, and zeros where masked.

    A row with nothing to attend to is all zeros, with gradients of zero.
    """
    logits = at_least_float32(logits)
    if mask is None:
        return ops.softmax(logits, axis=-1)
    lowest = -1e30  # finite: the gradient of softmax on a row of -inf is NaN
    weights = ops.softmax(ops.where(mask, logits, ops.cast(lowest, logits.dtype)), axis=-1)
    return ops.where(mask, weights, 0.0)


def apply_dropout(
    weights: Float[Tensor, "..."], rate: float, seed: keras.random.SeedGenerator | None
) -> Float[Tensor, "..."]:
    """Returns `weights` with dropout in training; `seed` is `None` for inference."""
    return weights if seed is None or not rate else kernels.apply_dropout(weights, rate, seed)


def attention_weights(
    query: Float[Tensor, "B N T H"],
    key: Float[Tensor, "B K S H"],
    *,
    mask: Bool[Tensor, "B N T S"] | None = None,
    bias: Float[Tensor, "B N T S"] | None = None,
    scale: float | None = None,
) -> Float[Tensor, "B N T S"]:
    """Returns `softmax(Q K^T / sqrt(H) + bias)` (Vaswani et al., 2017, equation 1).

    Args:
        query: of N heads.
        key: of K heads; K divides N, and head n attends to key head n // (N / K).
        mask: boolean, broadcastable to `(B, N, T, S)`.
        bias: added to the logits, broadcastable to `(B, N, T, S)`.
        scale: factor of the logits; `1 / sqrt(H)` if `None`.
    """
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    query, key = at_least_float32(query) * scale, at_least_float32(key)
    logits = by_head_group(query, ops.swapaxes(key, -1, -2))  # (B, N, T, S)
    if bias is not None:
        logits = logits + ops.cast(bias, logits.dtype)
    return masked_softmax(logits, mask)


def weighted_sum(
    weights: Float[Tensor, "B N T S"], value: Float[Tensor, "B K S H"]
) -> Float[Tensor, "B N T H"]:
    """Returns the sums of values that weights say, in the values' dtype."""
    return ops.cast(by_head_group(weights, at_least_float32(value)), value.dtype)


def dot_product_attention(
    query: Float[Tensor, "B N T H"],
    key: Float[Tensor, "B K S H"],
    value: Float[Tensor, "B K S H"],
    *,
    mask: Bool[Tensor, "B N T S"] | None = None,
    bias: Float[Tensor, "B N T S"] | None = None,
    causal: bool = False,
    window: int | None = None,
    softmax: Softmax = PLAIN,
) -> Float[Tensor, "B N T H"]:
    """Returns attention without its weights, on the branch that `kernels` chooses for it.

    Args and shapes as `attention_weights`; `causal=True` also hides the keys after each query
    and `window` those not nearer than it (T = S); `softmax` has the scale and the dropout of the
    weights. A query that sees nothing yields zeros, or on the fused branch anything.
    """
    softmax = softmax.of(query)
    alone = causal and mask is None and bias is None
    branch = kernels.attention_branch(
        query, key, window=window, dropout=softmax.dropout, alone=alone
    )
    return _BRANCHES[branch](
        query, key, value, mask=mask, bias=bias, band=Band(causal, window), softmax=softmax
    )


def _explicit(
    query: Float[Tensor, "B N T H"],
    key: Float[Tensor, "B K S H"],
    value: Float[Tensor, "B K S H"],
    *,
    mask: Bool[Tensor, "B N T S"] | None,
    bias: Float[Tensor, "B N T S"] | None,
    band: Band,
    softmax: Softmax,
) -> Float[Tensor, "B N T H"]:
    mask = masks.both(mask, _order(query, key, band))
    weights = attention_weights(query, key, mask=mask, bias=bias, scale=softmax.scale)
    return weighted_sum(apply_dropout(weights, softmax.dropout, softmax.seed), value)


def _fused(
    query: Float[Tensor, "B N T H"],
    key: Float[Tensor, "B K S H"],
    value: Float[Tensor, "B K S H"],
    *,
    mask: Bool[Tensor, "B N T S"] | None,
    bias: Float[Tensor, "B N T S"] | None,
    band: Band,
    softmax: Softmax,
) -> Float[Tensor, "B N T H"]:
    causal, window = band
    alone = mask is None and bias is None
    if kernels.BACKEND == "torch":  # its kernel takes an order or a mask, and no window
        keeps_order = window is None and (alone or not causal)
    else:  # cuDNN's takes a window with an order
        keeps_order = window is None or (causal and alone)
    if not keeps_order:
        mask = masks.both(mask, _order(query, key, band))
        causal, window = False, None
    if bias is not None:
        bias = ops.cast(bias, query.dtype)
        hidden = ops.cast(float("-inf"), query.dtype)
        mask = bias if mask is None else ops.where(mask, bias, hidden)
    return kernels.fused_attention(
        query,
        key,
        value,
        mask=mask,
        causal=causal,
        window=window,
        scale=softmax.scale,
        dropout=softmax.dropout,
    )


def _by_rows(
    query: Float[Tensor, "B N T H"],
    key: Float[Tensor, "B K S H"],
    value: Float[Tensor, "B K S H"],
    *,
    mask: Bool[Tensor, "B N T S"] | None,
    bias: Float[Tensor, "B N T S"] | None,
    band: Band,
    softmax: Softmax,
) -> Float[Tensor, "B N T H"]:
    scale, dropout, generator = softmax
    seed = generator.next() if dropout else None

    def attend(
        index: int,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        mask: Tensor | None,
        bias: Tensor | None,
    ) -> Tensor:
        if not dropout and kernels.BACKEND == "torch":
            return _fused(query, key, value, mask=mask, bias=bias, band=EVERYTHING, softmax=softmax)

        def explicit(query: Tensor, key: Tensor, value: Tensor, *biases: Tensor) -> Tensor:
            bias = biases[0] if biases else None
            weights = attention_weights(query, key, mask=mask, bias=bias, scale=scale)
            if dropout:
                factors = kernels.dropout_factors(seed, index, ops.shape(weights), dropout)
                weights = weights * factors
            return weighted_sum(weights, value)

        biases = [] if bias is None else [bias]
        return kernels.recompute(explicit)(query, key, value, *biases)

    # Each block is compiled: no more than 32, where a window does not say how many.
    size = max(_ROWS, query.shape[2] // 32) if band.window is None else max(64, band.window // 2)
    return rows.attention(
        attend,
        query,
        key,
        value,
        mask=mask,
        bias=bias,
        band=band,
        rows=kernels.block_size(size),
    )


_BRANCHES: dict[str, Callable] = {
    "explicit": _explicit,
    "fused": _fused,
    "rows": _by_rows,
    "tiled": tiled.attention,
}


def _order(
    query: Float[Tensor, "B N T H"], key: Float[Tensor, "B K S H"], band: Band
) -> Bool[Tensor, "1 1 T S"] | None:
    return band.order(Span(ops.shape(query)[2]), Span(ops.shape(key)[2]))


def by_head_group(
    x: Float[Tensor, "B N T U"], y: Float[Tensor, "B K U V"]
) -> Float[Tensor, "B N T V"]:
    """Returns `x @ y` for N heads of `x` on K heads of `y`, without repeating `y`."""
    groups = x.shape[1] // y.shape[1]
    if groups == 1:
        return ops.matmul(x, y)
    batch, heads, length, size = ops.shape(x)
    x = ops.reshape(x, (batch, y.shape[1], groups * length, size))
    return ops.reshape(ops.matmul(x, y), (batch, heads, length, ops.shape(y)[-1]))
