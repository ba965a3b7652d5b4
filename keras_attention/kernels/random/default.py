"""Random numbers that Keras draws."""

import keras
from keras import ops

from keras_attention.types import Float, Int, Tensor


def apply_dropout(
    weights: Float[Tensor, "..."], rate: float, seed: keras.random.SeedGenerator
) -> Float[Tensor, "..."]:
    """Returns `weights` with dropout."""
    return keras.random.dropout(weights, rate, seed=seed)


def xor(x: Int[Tensor, "..."], y: Int[Tensor, "..."]) -> Int[Tensor, "..."]:
    """Returns the bits in which `x` and `y` differ, of integers that are not negative."""
    return ops.bitwise_xor(x, y)


def random_state() -> str | None:
    """Returns `None`, for there is no state to keep.

    Each draw of JAX's takes its key, and TensorFlow keeps a state in each operation, out of reach.
    """
    return None


def set_random_state(state: str | None) -> None:
    """Sets what `random_state` returned: nothing."""
