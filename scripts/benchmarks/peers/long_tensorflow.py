"""TensorFlow: attention of long inputs as its users write it, `(B, N, T, H)`, causal.

Each function returns peers by name: functions of queries, keys and values.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import tensorflow as tf

LIBRARIES: dict[str, str] = {}  # that a peer needs


def window_attention(window: int, *, length: int, train: bool) -> dict[str, Callable]:
    """Returns attention to the `window` last keys."""
    return {"blocks": partial(_blocks, window=window)}


def listed_attention(lists: Any, size: int, *, length: int, train: bool) -> dict[str, Callable]:
    """Returns attention of blocks to those on their `lists`, `(n, M)`; n where there is none."""
    return {"gathered keys": partial(_gathered, lists=tf.constant(lists), size=size)}


def linear_attention() -> dict[str, Callable]:
    """Returns linear attention of features `elu(x) + 1`."""
    return {"chunks": _chunks}


def _blocks(query: Any, key: Any, value: Any, *, window: int) -> Any:
    """Blocks of queries, each on its block of keys and the one before."""
    batch, heads, length, width = query.shape
    shape = (batch, heads, length // window, window, width)
    q, k, v = (tf.reshape(x, shape) for x in (query, key, value))
    k, v = (tf.concat([tf.roll(x, 1, axis=2), x], axis=3) for x in (k, v))
    steps = tf.range(2 * window)
    distance = steps[:window, None] + window - steps
    first = tf.range(length // window)[:, None, None] == 0
    sees = (distance >= 0) & (distance < window) & ~(first & (steps < window))
    return tf.reshape(_attend(q, k, v, sees), query.shape)


def _gathered(query: Any, key: Any, value: Any, *, lists: Any, size: int) -> Any:
    """All blocks at once, each with a copy of its keys."""
    batch, heads, length, width = query.shape
    count = length // size
    steps = tf.range(size)
    s = tf.reshape(lists[:, :, None] * size + steps, (count, 1, -1))
    sees = s <= (tf.range(count)[:, None] * size + steps)[:, :, None]
    shape = (batch, heads, count, size, width)
    q, k, v = (tf.reshape(x, shape) for x in (query, key, value))
    k, v = (tf.gather(x, tf.minimum(lists, count - 1), axis=2) for x in (k, v))
    k, v = (tf.reshape(x, (batch, heads, count, -1, width)) for x in (k, v))
    return tf.reshape(_attend(q, k, v, sees), query.shape)


def _attend(query: Any, key: Any, value: Any, sees: Any) -> Any:
    logits = tf.matmul(query * query.shape[-1] ** -0.5, key, transpose_b=True)
    logits = tf.where(sees, logits, tf.constant(-1e30, logits.dtype))
    return tf.matmul(tf.nn.softmax(logits), value)


def _chunks(query: Any, key: Any, value: Any, *, size: int = 64) -> Any:
    """The quadratic form within chunks, and the sums of the chunks before."""
    batch, heads, length, width = query.shape
    shape = (batch, heads, length // size, size, width)
    query, key = tf.nn.elu(query) + 1, tf.nn.elu(key) + 1
    q, k, v = (tf.reshape(x, shape) for x in (query, key, value))
    near = tf.linalg.band_part(tf.matmul(q, k, transpose_b=True), -1, 0)
    states = tf.cumsum(tf.matmul(k, v, transpose_a=True), axis=2, exclusive=True)
    totals = tf.cumsum(tf.reduce_sum(k, axis=3), axis=2, exclusive=True)
    sums = tf.matmul(near, v) + tf.matmul(q, states)
    total = tf.reduce_sum(near, -1, keepdims=True) + tf.matmul(q, totals[..., None])
    return tf.reshape(sums / total, query.shape)
