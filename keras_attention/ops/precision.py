"""Dtypes for computations that 16 bits do not do for."""

import keras
from keras import ops

from keras_attention.types import Float, Tensor


def at_least_float32(x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Returns `x`, in float32 if it has 16 bits."""
    dtype = keras.backend.standardize_dtype(x.dtype)
    return ops.cast(x, "float32") if dtype in ("float16", "bfloat16") else x


def alike(*tensors: Float[Tensor, "..."]) -> list[Float[Tensor, "..."]]:
    """Returns the tensors in the widest of their dtypes, float32 at least.

    They may differ: for PyTorch Keras multiplies matrices of float64 in float32.
    """
    names = [keras.backend.standardize_dtype(x.dtype) for x in tensors]
    return [ops.cast(x, "float64" if "float64" in names else "float32") for x in tensors]


def weights_dtype(compute_dtype: str) -> str:
    """Returns the dtype of attention weights: that of the computation, float32 at least."""
    return keras.backend.result_type(compute_dtype, "float32")
