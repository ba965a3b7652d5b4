"""Activations by name: those of Keras, and approximations of GELU that published models have.

They are registered, so that layers of Keras with one of them come back from a file.
"""

from collections.abc import Callable

import keras
from keras import ops

from keras_attention.types import Float, Tensor


@keras.saving.register_keras_serializable(package="keras_attention")
def gelu_tanh(x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Returns the approximation of GELU by tanh (Hendrycks and Gimpel, 2016,
    https://arxiv.org/abs/1606.08415, section 2)."""
    return keras.activations.gelu(x, approximate=True)


@keras.saving.register_keras_serializable(package="keras_attention")
def quick_gelu(x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Returns the approximation of GELU by a sigmoid, `x sigmoid(1.702 x)`, of the same section."""
    return x * ops.sigmoid(1.702 * x)


_OURS = {function.__name__: function for function in (gelu_tanh, quick_gelu)}


def get(name: str) -> Callable[[Tensor], Tensor]:
    """Returns the activation of a name.

    Raises `ValueError` if there is none.
    """
    return _OURS.get(name) or keras.activations.get(name)
