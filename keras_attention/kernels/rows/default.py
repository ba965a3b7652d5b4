"""Rows in `keras.ops`, which cost nothing around an operation that is compiled."""

import keras
from keras import ops

from keras_attention.kernels.backend import BACKEND
from keras_attention.types import Bool, Float, Int, Shaped, Tensor


def normalize(norm: keras.Layer, x: Float[Tensor, "... D"]) -> Float[Tensor, "... D"]:
    """Returns what the layer `norm` computes of `x`, without what Keras does around a call."""
    return norm.call(x)


def zero_rows(x: Shaped[Tensor, "B T ..."], mask: Bool[Tensor, "B T"]) -> Float[Tensor, "B T ..."]:
    """Returns `x` with zeros where `mask` is False."""
    mask = ops.reshape(mask, (*ops.shape(mask), *[1] * (len(x.shape) - len(mask.shape))))
    return ops.where(mask, x, 0.0)


def crossentropy(
    targets: Int[Tensor, "..."], logits: Float[Tensor, "... V"], smoothing: float
) -> Float[Tensor, "..."]:
    """Returns the cross-entropy of targets of which a share of `smoothing` is spread over all."""
    if BACKEND == "tensorflow" and not smoothing:  # it has a kernel for that
        return ops.sparse_categorical_crossentropy(targets, logits, from_logits=True)
    of_target = ops.take_along_axis(logits, targets[..., None], axis=-1)[..., 0]
    expected = (1 - smoothing) * of_target
    if smoothing:
        expected = expected + smoothing * ops.mean(logits, axis=-1)
    return ops.logsumexp(logits, axis=-1) - expected
