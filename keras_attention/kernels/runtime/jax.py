"""The devices of JAX, and whether values are known now."""

import jax

from keras_attention.types import Tensor


def device_name() -> str:
    """Returns the name of the device that computes."""
    return jax.devices()[0].device_kind


def on_cpu(tensor: Tensor) -> bool:
    """Returns whether a CPU computes, as with all tensors."""
    return jax.default_backend() == "cpu"


def chunk_numbers() -> int:
    """Returns how many numbers a loop over chunks holds at once: what a CPU's cache does."""
    return 2**17 if jax.default_backend() == "cpu" else 2**24


def is_concrete(tensor: Tensor) -> bool:
    """Returns whether the values of `tensor` can be looked at now (no tracing)."""
    return not isinstance(tensor, jax.core.Tracer)
