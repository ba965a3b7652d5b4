"""Steps of optimizers that are Keras's own: XLA and TensorFlow make one kernel of each."""

import keras


class AdamStep(keras.optimizers.Optimizer):
    """Keras's step of Adam."""


class SGDStep(keras.optimizers.Optimizer):
    """Keras's step of gradient descent."""
