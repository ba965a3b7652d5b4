"""Weights that layers add to themselves: kernels, and projections with or without a bias."""

from typing import Any

import keras

from keras_attention.ops.initializers import fresh


def add_kernel(
    layer: keras.Layer, name: str, shape: tuple[int, ...], *, regularizer: Any = None
) -> keras.Variable:
    """Adds a weight to `layer` that begins as its `kernel_initializer` says."""
    return layer.add_weight(
        name=name,
        shape=shape,
        initializer=fresh(layer.kernel_initializer),
        regularizer=regularizer,
    )


def add_projection(
    layer: keras.Layer,
    name: str,
    input_dim: int,
    output_dim: int,
    *,
    use_bias: bool,
    regularizer: Any = None,
) -> tuple[keras.Variable, keras.Variable | None]:
    """Adds the weights `{name}_kernel` and, if `use_bias`, `{name}_bias` to `layer`.

    They begin as its `kernel_initializer` and its `bias_initializer` say.

    Returns:
        The kernel `(input_dim, output_dim)`, and the bias `(output_dim,)` or `None`.
    """
    kernel = add_kernel(layer, f"{name}_kernel", (input_dim, output_dim), regularizer=regularizer)
    if not use_bias:
        return kernel, None
    bias = layer.add_weight(
        name=f"{name}_bias", shape=(output_dim,), initializer=fresh(layer.bias_initializer)
    )
    return kernel, bias
