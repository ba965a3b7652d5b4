"""Where 16 bits do not do."""

import keras
from keras import ops


def at_least_float32(x):
    """`x`, in float32 if it has 16 bits."""
    dtype = keras.backend.standardize_dtype(x.dtype)
    return ops.cast(x, "float32") if dtype in ("float16", "bfloat16") else x


def alike(*tensors):
    """The tensors in the widest of their dtypes, float32 at least.

    They may differ: for PyTorch Keras multiplies matrices of float64 in float32.
    """
    names = [keras.backend.standardize_dtype(x.dtype) for x in tensors]
    return [ops.cast(x, "float64" if "float64" in names else "float32") for x in tensors]


def weights_dtype(compute_dtype):
    """The dtype of attention weights: that of the computation, float32 at least."""
    return keras.backend.result_type(compute_dtype, "float32")
