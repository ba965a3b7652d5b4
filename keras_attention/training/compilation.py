"""Which compiler `fit` uses."""

import keras

from keras_attention import kernels


def choose_jit_compile(model: keras.Model) -> bool | str:
    """Returns the faster `jit_compile` for `model.compile`, where Keras's `"auto"` is not.

    It is `False` on TensorFlow on a CPU for a model that draws random numbers in training, for
    dropout or augmentation: XLA draws them at a quarter of TensorFlow's speed there. It is `"auto"`
    for all others.

    ```python
    model.compile("adam", "mse", jit_compile=ka.training.choose_jit_compile(model))
    ```
    """
    draws = any(variable.name == "seed_generator_state" for variable in model.variables)
    return kernels.jit_compile_for_training(draws=draws)
