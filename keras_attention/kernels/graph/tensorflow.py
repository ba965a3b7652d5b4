"""Rows by index and sums over the edges of graphs for TensorFlow."""

from collections.abc import Callable

import tensorflow as tf

from keras_attention.types import Float, Int, Shaped, Tensor


def take_rows(data: Shaped[Tensor, "N ..."], ids: Int[Tensor, " E"]) -> Shaped[Tensor, "E ..."]:
    """Returns rows of `data` by `ids`, which must be inside."""
    return tf.gather(data, ids)


def segment_sum(
    data: Float[Tensor, "E ..."], segment_ids: Int[Tensor, " E"], num_segments: int
) -> Float[Tensor, "segments ..."]:
    """Returns the sums of the rows of `data` that share an id."""

    @tf.custom_gradient
    def add_up(data: Tensor) -> tuple[Tensor, Callable]:
        # TensorFlow's own gradient also looks for negative ids, in several passes.
        output = tf.math.unsorted_segment_sum(data, segment_ids, num_segments)
        return output, lambda gradient: tf.gather(gradient, segment_ids)

    return add_up(data)


def segment_max(
    data: Float[Tensor, "E ..."], segment_ids: Int[Tensor, " E"], num_segments: int
) -> Float[Tensor, "segments ..."]:
    """Returns the maximum of the rows that share an id; the lowest finite number where none do."""
    return tf.math.unsorted_segment_max(data, segment_ids, num_segments)


def weighted_segment_sum(
    values: Float[Tensor, "N heads H"],
    weights: Float[Tensor, "E heads"],
    source: Int[Tensor, " E"],
    target: Int[Tensor, " E"],
    num_segments: int,
) -> Float[Tensor, "segments heads H"]:
    """Returns the sums of `weights[e] * values[source[e]]` over the edges e that share `target[e]`.

    Its gradients are a sum of the same kind, the other way round, and a dot product per edge;
    automatic ones pass over all messages once more.
    """

    @tf.custom_gradient
    def add_up(values: Tensor, weights: Tensor) -> tuple[Tensor, Callable]:
        messages = tf.gather(values, source) * weights[..., None]

        def gradients(gradient: Tensor) -> tuple[Tensor, Tensor]:
            by_value = weighted_segment_sum(gradient, weights, target, source, tf.shape(values)[0])
            products = tf.gather(values, source) * tf.gather(gradient, target)
            return by_value, tf.reduce_sum(products, axis=-1)

        return segment_sum(messages, target, num_segments), gradients

    return add_up(values, weights)
