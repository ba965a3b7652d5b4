"""The devices of TensorFlow, and whether values are known now."""

import tensorflow as tf

from keras_attention.types import Tensor


def device_name() -> str:
    """Returns the name of the device that computes."""
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return "cpu"
    return tf.config.experimental.get_device_details(gpus[0]).get("device_name", "gpu")


def on_cpu(tensor: Tensor) -> bool:
    """Returns whether a CPU computes, as with all tensors."""
    return not tf.config.list_physical_devices("GPU")


def chunk_numbers() -> int:
    """Returns how many numbers a loop over chunks holds at once: what a CPU's cache does."""
    if tf.executing_eagerly():  # every step of a loop costs a millisecond
        return 2**22
    return 2**24 if tf.config.list_physical_devices("GPU") else 2**17


def is_concrete(tensor: Tensor) -> bool:
    """Returns whether the values of `tensor` can be looked at now (no graph)."""
    return tf.executing_eagerly() and not tf.is_symbolic_tensor(tensor)
