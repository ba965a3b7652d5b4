"""Random numbers for TensorFlow."""

from collections.abc import Sequence

import tensorflow as tf

from keras_attention.types import Float, Int, Tensor


def dropout_factors(
    seed: Int[Tensor, "2"], index: int | Int[Tensor, ""], shape: Sequence[int], rate: float
) -> Float[Tensor, "..."]:
    """Returns 0 with probability `rate`, else `1 / (1 - rate)`, by a Keras seed and an integer."""
    seed = tf.random.experimental.stateless_fold_in(tf.cast(seed, "int32"), index)
    keep = tf.random.stateless_uniform(shape, seed) >= rate
    return tf.cast(keep, "float32") / (1 - rate)
