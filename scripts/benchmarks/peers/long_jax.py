"""JAX: attention of long inputs as its users write it, `(B, N, T, H)`, causal.

Each function returns peers by name: functions of queries, keys and values.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

LIBRARIES: dict[str, str] = {}  # that a peer needs
_DENSE = 8192  # the longest input of which T x S logits are kept


def window_attention(window: int, *, length: int, train: bool) -> dict[str, Callable]:
    """Returns attention to the `window` last keys."""
    peers: dict[str, Callable] = {"blocks": partial(_blocks, window=window)}
    if length <= _DENSE:
        peers["jax.nn, local_window_size"] = partial(_dense, window=window)
    return peers


def listed_attention(lists: Any, size: int, *, length: int, train: bool) -> dict[str, Callable]:
    """Returns attention of blocks to those on their `lists`, `(n, M)`; n where there is none."""
    return {"gathered keys": partial(_gathered, lists=jnp.asarray(lists), size=size)}


def linear_attention() -> dict[str, Callable]:
    """Returns linear attention of features `elu(x) + 1`."""
    return {"chunks": _chunks}


def _dense(query: Any, key: Any, value: Any, *, window: int) -> Any:
    query, key, value = (jnp.swapaxes(x, 1, 2) for x in (query, key, value))  # (B, T, N, H)
    y = jax.nn.dot_product_attention(
        query, key, value, is_causal=True, local_window_size=(window - 1, 0)
    )
    return jnp.swapaxes(y, 1, 2)


def _blocks(query: Any, key: Any, value: Any, *, window: int) -> Any:
    """Blocks of queries, each on its block of keys and the one before."""
    batch, heads, length, width = query.shape
    q, k, v = (x.reshape(batch, heads, -1, window, width) for x in (query, key, value))
    k, v = (jnp.concatenate([jnp.roll(x, 1, axis=2), x], axis=3) for x in (k, v))
    steps = jnp.arange(2 * window)
    distance = steps[:window, None] + window - steps
    first = jnp.arange(length // window)[:, None, None] == 0
    sees = (distance >= 0) & (distance < window) & ~(first & (steps < window))
    return _attend(q, k, v, sees).reshape(query.shape)


def _gathered(query: Any, key: Any, value: Any, *, lists: Any, size: int) -> Any:
    """All blocks at once, each with a copy of its keys."""
    batch, heads, length, width = query.shape
    count = length // size
    steps = jnp.arange(size)
    s = (lists[:, :, None] * size + steps).reshape(count, 1, -1)
    sees = s <= (jnp.arange(count)[:, None] * size + steps)[:, :, None]
    q, k, v = (x.reshape(batch, heads, count, size, width) for x in (query, key, value))
    k, v = (x[:, :, jnp.minimum(lists, count - 1)] for x in (k, v))
    k, v = (x.reshape(batch, heads, count, -1, width) for x in (k, v))
    return _attend(q, k, v, sees).reshape(query.shape)


def _attend(query: Any, key: Any, value: Any, sees: Any) -> Any:
    logits = jnp.einsum("...th,...sh->...ts", query * query.shape[-1] ** -0.5, key)
    weights = jax.nn.softmax(jnp.where(sees, logits, -1e30).astype(jnp.float32))
    return jnp.einsum("...ts,...sh->...th", weights.astype(value.dtype), value)


def _chunks(query: Any, key: Any, value: Any, *, size: int = 64) -> Any:
    """The quadratic form within chunks, and the sums of the chunks before."""
    batch, heads, length, width = query.shape
    shape = (batch, heads, length // size, size, width)
    query, key = jax.nn.elu(query) + 1, jax.nn.elu(key) + 1
    q, k, v = (x.reshape(shape) for x in (query, key, value))
    near = jnp.tril(jnp.einsum("...th,...sh->...ts", q, k))
    states = jnp.cumsum(jnp.einsum("...sh,...su->...hu", k, v), axis=2)
    totals = jnp.cumsum(k.sum(axis=3), axis=2)
    states, totals = (jnp.roll(x, 1, axis=2).at[:, :, 0].set(0) for x in (states, totals))
    sums = near @ v + q @ states
    return (sums / (near.sum(-1, keepdims=True) + q @ totals[..., None])).reshape(query.shape)
