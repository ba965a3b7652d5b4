"""Checks of values, in `keras.ops`, lengths where any will do, and Keras's own compiler."""

from keras import ops

from keras_attention.kernels.runtime import is_concrete
from keras_attention.types import Int, Tensor


def check_below(indices: Int[Tensor, "..."], limit: int, message: str) -> None:
    """Raises `ValueError` if an index is not below `limit`, where that can be known now."""
    if is_concrete(indices) and int(ops.max(indices)) >= limit:
        raise ValueError(message)


def round_length(length: int) -> int:
    """Returns the number of tokens to which texts are padded whose longest has `length`."""
    return length


def jit_compile_for_training(*, draws: bool) -> bool | str:
    """Returns `jit_compile` for a model that draws random numbers in training, or not."""
    return "auto"
