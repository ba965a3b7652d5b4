"""Rows in `keras.ops`, which cost nothing around an operation that is compiled."""

import keras
from keras import ops

from keras_attention.types import Bool, Float, Shaped, Tensor


def normalize(norm: keras.Layer, x: Float[Tensor, "... D"]) -> Float[Tensor, "... D"]:
    """Returns what the layer `norm` computes of `x`, without what Keras does around a call."""
    return norm.call(x)


def zero_rows(x: Shaped[Tensor, "B T ..."], mask: Bool[Tensor, "B T"]) -> Float[Tensor, "B T ..."]:
    """Returns `x` with zeros where `mask` is False."""
    mask = ops.reshape(mask, (*ops.shape(mask), *[1] * (len(x.shape) - len(mask.shape))))
    return ops.where(mask, x, 0.0)
