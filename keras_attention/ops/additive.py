"""Additive attention scores, in bounded memory."""

from collections.abc import Callable

from keras_attention import kernels
from keras_attention.ops.precision import alike
from keras_attention.types import Float, Tensor


def scores(
    query: Float[Tensor, "... T U"],
    key: Float[Tensor, "... S U"],
    vector: Float[Tensor, "... U"],
    activation: Callable[[Tensor], Tensor] | None = None,
) -> Float[Tensor, "... T S"]:
    """Returns `v . activation(q_t + k_s)` (Bahdanau et al., 2015, appendix A.1.2).

    Args:
        query: projected queries.
        key: projected keys.
        vector: v, `(U,)`, or with the leading axes of the others.
        activation: pointwise function; tanh if `None`, which PyTorch has a kernel for.
    """
    query, key, vector = alike(query, key, vector)
    return kernels.additive_scores(query, key, vector, activation)
