"""Keras's optimizers, whose step on PyTorch visits the memory of the weights once.

On JAX and TensorFlow they are Keras's in everything; on PyTorch in arguments, configuration, state
and, to rounding, numbers. A file names them, and goes on with them on every backend.
"""

import keras

from keras_attention import kernels

__all__ = ["SGD", "Adam", "AdamW"]


@keras.saving.register_keras_serializable(package="keras_attention")
class Adam(kernels.AdamStep, keras.optimizers.Adam):
    """`keras.optimizers.Adam` of Kingma and Ba, 2015 (https://arxiv.org/abs/1412.6980).

    On PyTorch its step is the fused kernel of PyTorch, which clips by `global_clipnorm` and decays
    on the way.

    Args: those of `keras.optimizers.Adam`.
    """


@keras.saving.register_keras_serializable(package="keras_attention")
class AdamW(kernels.AdamStep, keras.optimizers.AdamW):
    """`keras.optimizers.AdamW` of Loshchilov and Hutter, 2019 (https://arxiv.org/abs/1711.05101).

    On PyTorch its step is that of `ka.optimizers.Adam`.

    Args: those of `keras.optimizers.AdamW`.
    """


@keras.saving.register_keras_serializable(package="keras_attention")
class SGD(kernels.SGDStep, keras.optimizers.SGD):
    """`keras.optimizers.SGD`: gradient descent, also with momentum.

    Args: those of `keras.optimizers.SGD`.
    """
