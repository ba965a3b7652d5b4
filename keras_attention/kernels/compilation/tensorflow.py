"""Functions and their gradients for TensorFlow, as graphs or compiled by XLA."""

import re
from collections.abc import Callable, Sequence
from functools import wraps
from itertools import count
from typing import Any

import tensorflow as tf
from tensorflow.compiler.tf2xla.python.xla import optimization_barrier

from keras_attention.kernels.compilation import default
from keras_attention.kernels.runtime.tensorflow import is_concrete
from keras_attention.types import Float, Int, Tensor


def compile(function: Callable) -> Callable:
    """Returns `tf.function` of `function`, with XLA."""
    return tf.function(function, jit_compile=True, autograph=False)


def compile_with(function: Callable, variables: Sequence[Any]) -> Callable:
    """Returns `tf.function` of `function`, with XLA."""
    return compile(function)


def trace_with(function: Callable, variables: Sequence[Any]) -> Callable:
    """Returns `tf.function` of `function`, without XLA, which would take many times longer to
    compile it for each shape than it saves."""
    return tf.function(function, autograph=False)


def compile_forward(function: Callable, variables: Sequence[Any]) -> Callable:
    """Returns `tf.function` of `function`, without XLA, for shapes that may vary.

    What `check_below` finds out as it runs is a `ValueError`, as on other backends.
    """
    graph = tf.function(function, autograph=False, reduce_retracing=True)

    @wraps(function)
    def call(*args: Any) -> Any:
        try:
            return graph(*args)
        except tf.errors.InvalidArgumentError as error:
            found = re.search(r"assertion failed: \[(.*?)\] \[Condition", error.message, re.DOTALL)
            if found is None:
                raise
            raise ValueError(found[1].replace("\\'", "'")) from error

    return call


def compile_inference(function: Callable, variables: Sequence[Any]) -> Callable:
    """Returns `function`."""
    return function


def barrier(x: Tensor) -> Tensor:
    """Returns `x`, and keeps XLA from reordering what is before and after."""
    return optimization_barrier(x)[0]


def check_below(indices: Int[Tensor, "..."], limit: int, message: str) -> None:
    """Raises `ValueError` if an index is not below `limit`.

    A graph raises TensorFlow's error with the message when it runs, but not under XLA.
    """
    if is_concrete(indices):
        default.check_below(indices, limit, message)
    else:
        tf.debugging.assert_less(indices, limit, message=message)


def jit_compile_for_training(*, draws: bool) -> bool | str:
    """Returns `jit_compile` for a model that draws random numbers in training, or not.

    XLA draws them on a CPU at a quarter of TensorFlow's speed: a plain graph takes 0.88 to 0.90 of
    its time for a step with dropout of 0.1, and 1.03 to 1.13 without dropout; 0.93 at T128 D256.
    """
    return "auto" if not draws or tf.config.list_physical_devices("GPU") else False


def recompute(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Returns `function` with its intermediates recomputed in the backward pass, not stored.

    It must take every tensor that it differentiates as an argument.
    """
    return tf.recompute_grad(function)


def define_gradient(forward: Callable, backward: Callable) -> Callable[..., Tensor]:
    """Returns `forward(*tensors)[0]` as a function, with `backward` for its gradient.

    Args:
        forward: `f(*tensors)` returns the output and what the gradient needs, a tuple of tensors.
        backward: `f(saved, gradient)` returns a gradient per tensor, or `None`.
    """

    @tf.custom_gradient
    def function(*tensors: Tensor) -> tuple[Tensor, Callable]:
        output, saved = forward(*tensors)
        return output, lambda gradient: backward(saved, gradient)

    return function


def compile_gradient(
    function: Callable[..., Float[Tensor, ""]], variables: Sequence[Any]
) -> Callable[..., dict[str, Tensor]]:
    """Returns the gradient of a scalar, as a function that is fastest when it is called again.

    Args:
        function: `f(inputs, *others)`, of float tensors by name and of what else it depends on.
        variables: of the model that it calls, whose values are read at each call.

    Returns:
        `g(inputs, *others)`, a gradient for each of the inputs, zeros where nothing depends on it.
    """

    def differentiate(inputs: dict[str, Tensor], *others: Any) -> dict[str, Tensor]:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(inputs)
            scalar = function(inputs, *others)
        return tape.gradient(scalar, inputs, unconnected_gradients="zero")

    graph, calls = tf.function(differentiate), count()
    # To trace a graph takes as long as several eager calls: the first one is often the only one.
    return lambda *args: graph(*args) if next(calls) else differentiate(*args)
