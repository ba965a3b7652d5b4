"""TensorFlow."""

import tensorflow as tf


def fused_attention(query, key, value, *, mask=None, bias=None, causal=False, scale, dropout=0.0):
    """`None`: TensorFlow has no fused kernel; the explicit computation is used."""
    return None


def segment_sum(data, segment_ids, num_segments):
    """Sums rows of `data` `(E, ...)` that share an id: `(num_segments, ...)`."""
    return tf.math.unsorted_segment_sum(data, segment_ids, num_segments)


def segment_max(data, segment_ids, num_segments):
    """Maximum of the rows that share an id; the lowest finite number where there are none."""
    return tf.math.unsorted_segment_max(data, segment_ids, num_segments)


def recompute(function):
    """`function` with its intermediates recomputed in the backward pass, not stored.

    `function` must take every tensor that it differentiates as an argument.
    """
    return tf.recompute_grad(function)


def is_concrete(tensor):
    """Whether the values of `tensor` can be looked at now (no graph)."""
    return tf.executing_eagerly() and not tf.is_symbolic_tensor(tensor)


def compile(function):
    """`function` as the backend runs it fastest: `tf.function` with XLA."""
    return tf.function(function, jit_compile=True)


def device_name():
    """The device that computes, in words."""
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return "cpu"
    return tf.config.experimental.get_device_details(gpus[0]).get("device_name", "gpu")
