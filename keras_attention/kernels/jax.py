"""JAX."""

import jax
import jax.numpy as jnp


def fused_attention(query, key, value, *, mask=None, bias=None, causal=False, scale, dropout=0.0):
    """`None`: XLA fuses the explicit head-major computation, which is faster here."""
    return None


def segment_sum(data, segment_ids, num_segments):
    """Sums rows of `data` `(E, ...)` that share an id: `(num_segments, ...)`."""
    return jax.ops.segment_sum(data, segment_ids, num_segments)


def segment_max(data, segment_ids, num_segments):
    """Maximum of the rows that share an id; the lowest finite number where there are none."""
    return jnp.maximum(
        jax.ops.segment_max(data, segment_ids, num_segments), jnp.finfo(data.dtype).min
    )


def recompute(function):
    """`function` with its intermediates recomputed in the backward pass, not stored."""
    return jax.checkpoint(function)


def is_concrete(tensor):
    """Whether the values of `tensor` can be looked at now (no tracing)."""
    return not isinstance(tensor, jax.core.Tracer)


def compile(function):
    """`function` as the backend runs it fastest: `jax.jit`."""
    return jax.jit(function)


def device_name():
    """The device that computes, in words."""
    return jax.devices()[0].device_kind
