"""Attention: the masked softmax, scaled dot products."""

import keras
from keras import ops

from keras_attention import kernels
from keras_attention.ops import masks
from keras_attention.ops.precision import at_least_float32


def masked_softmax(logits, mask=None):
    """Softmax over the last axis, in float32 at least; exact zeros where `mask` is False.

    A row with nothing to attend to is all zeros, with gradients of zero.
    """
    logits = at_least_float32(logits)
    if mask is None:
        return ops.softmax(logits, axis=-1)
    lowest = -1e30  # finite: the gradient of softmax on a row of -inf is NaN
    weights = ops.softmax(ops.where(mask, logits, ops.cast(lowest, logits.dtype)), axis=-1)
    return ops.where(mask, weights, 0.0)


def dropped(weights, rate, seed):
    """Attention dropout (`seed=None` for inference)."""
    return weights if seed is None or not rate else keras.random.dropout(weights, rate, seed=seed)


def attention_weights(query, key, *, mask=None, bias=None, scale=None):
    """`softmax(Q K^T / sqrt(H) + bias)`: `(B, N, T, S)` (Vaswani et al., 2017, equation 1).

    Args:
        query: `(B, N, T, H)`.
        key: `(B, K, S, H)`; K divides N, and head n attends to key head n // (N / K).
        mask: boolean, broadcastable to `(B, N, T, S)`.
        bias: added to the logits, broadcastable to `(B, N, T, S)`.
        scale: factor of the logits; `1 / sqrt(H)` if `None`.
    """
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    query, key = at_least_float32(query) * scale, at_least_float32(key)
    logits = _by_head_group(query, ops.swapaxes(key, -1, -2))  # (B, N, T, S)
    if bias is not None:
        logits = logits + ops.cast(bias, logits.dtype)
    return masked_softmax(logits, mask)


def weighted_sum(weights, value):
    """`(B, N, T, S)` weights on `(B, K, S, H)` values: `(B, N, T, H)`, in the values' dtype."""
    return ops.cast(_by_head_group(weights, at_least_float32(value)), value.dtype)


def dot_product_attention(
    query, key, value, *, mask=None, bias=None, causal=False, scale=None, dropout=0.0, seed=None
):
    """Attention without its weights, on the backend's fused kernel where there is one.

    Args and shapes as `attention_weights`; `causal=True` also hides the keys after each query
    (T = S); `dropout` acts on the weights, drawn from `seed` (a `keras.random.SeedGenerator`),
    or not at all if `seed` is `None`.
    """
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    dropout = 0.0 if seed is None else dropout
    output = kernels.fused_attention(
        query, key, value, mask=mask, bias=bias, causal=causal, scale=scale, dropout=dropout
    )
    if output is not None:
        return output
    if causal:
        length = masks.positions(ops.shape(query)[2])
        mask = masks.both(mask, masks.causal_mask(length, length)[None, None])
    weights = attention_weights(query, key, mask=mask, bias=bias, scale=scale)
    return weighted_sum(dropped(weights, dropout, seed), value)


def _by_head_group(x, y):
    """`x @ y` for N heads of `x` on K heads of `y`, without repeating `y`."""
    groups = x.shape[1] // y.shape[1]
    if groups == 1:
        return ops.matmul(x, y)
    batch, heads, length, size = ops.shape(x)
    x = ops.reshape(x, (batch, y.shape[1], groups * length, size))
    return ops.reshape(ops.matmul(x, y), (batch, heads, length, ops.shape(y)[-1]))
