"""Where 16 bits do not do."""

import keras
from keras import ops


def at_least_float32(x):
    """`x`, in float32 if it has 16 bits."""
    dtype = keras.backend.standardize_dtype(x.dtype)
    return ops.cast(x, "float32") if dtype in ("float16", "bfloat16") else x


def weights_dtype(compute_dtype):
    """The dtype of attention weights: that of the computation, float32 at least."""
    return keras.backend.result_type(compute_dtype, "float32")
