"""Rows by index and sums over the edges of graphs for JAX."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from keras_attention.types import Float, Int, Shaped, Tensor

_CHUNK_NUMBERS = 2**17  # that a CPU's cache holds: half a MiB


def take_rows(data: Shaped[Tensor, "N ..."], ids: Int[Tensor, " E"]) -> Shaped[Tensor, "E ..."]:
    """Returns rows of `data` by `ids`, which must be inside."""
    return data.at[ids].get(mode="promise_in_bounds")


def segment_sum(
    data: Float[Tensor, "E ..."], segment_ids: Int[Tensor, " E"], num_segments: int
) -> Float[Tensor, "segments ..."]:
    """Returns the sums of the rows of `data` that share an id."""
    out = jnp.zeros((num_segments, *data.shape[1:]), data.dtype)
    return out.at[segment_ids].add(data, mode="promise_in_bounds")


def segment_max(
    data: Float[Tensor, "E ..."], segment_ids: Int[Tensor, " E"], num_segments: int
) -> Float[Tensor, "segments ..."]:
    """Returns the maximum of the rows that share an id; the lowest finite number where none do."""
    out = jnp.full((num_segments, *data.shape[1:]), jnp.finfo(data.dtype).min, data.dtype)
    return out.at[segment_ids].max(data, mode="promise_in_bounds")


@partial(jax.custom_vjp, nondiff_argnums=(4,))
def weighted_segment_sum(
    values: Float[Tensor, "N heads H"],
    weights: Float[Tensor, "E heads"],
    source: Int[Tensor, " E"],
    target: Int[Tensor, " E"],
    num_segments: int,
) -> Float[Tensor, "segments heads H"]:
    """Returns the sums of `weights[e] * values[source[e]]` over the edges e that share `target[e]`.

    On CPU edges go in chunks that stay in its cache, here and in the gradients. That takes a third
    of the time, and all messages are never held at once.
    """
    empty = jnp.zeros((num_segments, *values.shape[1:]), values.dtype)

    def add(total: Tensor, chunk: Sequence[Tensor]) -> tuple[Tensor, None]:
        weights, source, target = chunk
        messages = take_rows(values, source) * weights[..., None]
        return total.at[target].add(messages, mode="promise_in_bounds"), None

    total, _ = _scan_edges(add, empty, (weights, source, target), values.shape)
    return total


def _weighted_segment_sum_forward(
    values: Tensor, weights: Tensor, source: Tensor, target: Tensor, num_segments: int
) -> tuple[Tensor, tuple[Tensor, ...]]:
    output = weighted_segment_sum(values, weights, source, target, num_segments)
    return output, (values, weights, source, target)


def _weighted_segment_sum_backward(
    num_segments: int, saved: tuple[Tensor, ...], gradient: Tensor
) -> tuple[Tensor, Tensor, None, None]:
    values, weights, source, target = saved
    num_values, heads, size = values.shape
    by_value = weighted_segment_sum(gradient, weights, target, source, num_values)
    flat_values = values.reshape(num_values, heads * size)
    flat_gradient = gradient.reshape(num_segments, heads * size)
    # XLA sums short rows slowly; a matrix of ones and zeros does it three times as fast.
    of_head = jnp.repeat(jnp.eye(heads, dtype=values.dtype), size, axis=0)

    def dot(_: None, chunk: Sequence[Tensor]) -> tuple[None, Tensor]:
        source, target = chunk
        product = take_rows(flat_values, source) * take_rows(flat_gradient, target)
        return None, jnp.matmul(product, of_head, precision="highest")

    _, by_weight = _scan_edges(dot, None, (source, target), values.shape)
    return by_value, by_weight, None, None


def _scan_edges(
    step: Callable, carry: Any, edges: Sequence[Tensor], values_shape: tuple[int, ...]
) -> tuple[Any, Any]:
    """Returns `lax.scan` over chunks of `edges`, arrays `(E, ...)`; in one piece unless on CPU.

    Edges that fill up the last chunk are all zeros.
    """
    num_edges = edges[0].shape[0]
    size = max(1, _CHUNK_NUMBERS // math.prod(values_shape[1:]))
    if not isinstance(num_edges, int) or num_edges <= size:
        return step(carry, edges)

    def in_chunks(carry: Any, edges: Sequence[Tensor]) -> tuple[Any, Any]:
        chunks = -(-num_edges // size)
        missing = chunks * size - num_edges
        edges = [
            jnp.pad(x, [(0, missing)] + [(0, 0)] * (x.ndim - 1)).reshape(chunks, size, *x.shape[1:])
            for x in edges
        ]
        carry, by_edge = jax.lax.scan(step, carry, edges)
        if by_edge is not None:
            by_edge = by_edge.reshape(chunks * size, *by_edge.shape[2:])[:num_edges]
        return carry, by_edge

    return jax.lax.platform_dependent(carry, edges, cpu=in_chunks, default=step)


weighted_segment_sum.defvjp(_weighted_segment_sum_forward, _weighted_segment_sum_backward)
