"""Random numbers for JAX."""

from collections.abc import Sequence

import jax

from keras_attention.types import Float, Int, Tensor


def dropout_factors(
    seed: Int[Tensor, "2"], index: int | Int[Tensor, ""], shape: Sequence[int], rate: float
) -> Float[Tensor, "..."]:
    """Returns 0 with probability `rate`, else `1 / (1 - rate)`, by a Keras seed and an integer."""
    keep = jax.random.bernoulli(jax.random.fold_in(seed, index), 1 - rate, shape)
    return keep.astype("float32") / (1 - rate)
