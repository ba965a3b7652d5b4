"""Functions and their gradients for JAX, compiled by XLA."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import keras

from keras_attention.types import Float, Tensor


def compile(function: Callable) -> Callable:
    """Returns `jax.jit` of `function`."""
    return jax.jit(function)


def compile_with(function: Callable, variables: Sequence[Any]) -> Callable:
    """Returns `jax.jit` of `function`; the values of `variables` are handed to it at each call."""
    variables = list(variables)

    @jax.jit
    def pure(values: list[Tensor], *args: Any) -> Any:
        with _having(variables, values):
            return function(*args)

    return lambda *args: pure([variable.value for variable in variables], *args)


# JAX runs nothing that is not compiled, and it whole faster than in pieces.
trace_with = compile_forward = compile_with


def compile_inference(function: Callable, variables: Sequence[Any]) -> Callable:
    """Returns `function`, which returns tensors, compiled as one if it can be.

    That is a fifth of the time that JAX takes to compile its operations one by one. It runs as it
    is, which tells what is wrong, if it cannot be compiled, changes `variables`, or returns numbers
    that are not finite.
    """
    variables = list(variables)
    compiled = True

    @jax.jit
    def pure(values: list[Tensor], *args: Any) -> tuple[Any, Tensor]:
        with _having(variables, values) as scope:
            before = [scope.get_current_value(variable) for variable in variables]
            outputs = function(*args)
            after = [scope.get_current_value(variable) for variable in variables]
        if any(a is not b for a, b in zip(before, after, strict=True)):
            raise ValueError("It changes variables.")
        floats = [x for x in jax.tree.leaves(outputs) if jnp.issubdtype(x.dtype, jnp.floating)]
        return outputs, jnp.all(jnp.array([jnp.all(jnp.isfinite(x)) for x in floats]))

    def run(*args: Any) -> Any:
        nonlocal compiled
        if compiled:
            try:
                outputs, finite = pure([variable.value for variable in variables], *args)
            except Exception:  # of whatever kind, it is raised again below, or was none of its own
                outputs = function(*args)
                compiled = False
                return outputs
            if finite:
                return outputs
        return function(*args)

    return run


def barrier(x: Tensor) -> Tensor:
    """Returns `x`, and keeps XLA from reordering what is before and after."""
    return jax.lax.optimization_barrier(x)


def round_length(length: int) -> int:
    """Returns the number of tokens to which texts are padded whose longest has `length`: a power of
    two, for each length is compiled, in the time that many texts take."""
    return 1 << (length - 1).bit_length()


def recompute(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Returns `function` with its intermediates recomputed in the backward pass, not stored."""
    return jax.checkpoint(function)


def define_gradient(forward: Callable, backward: Callable) -> Callable[..., Tensor]:
    """Returns `forward(*tensors)[0]` as a function, with `backward` for its gradient.

    Args:
        forward: `f(*tensors)` returns the output and what the gradient needs, a tuple of tensors.
        backward: `f(saved, gradient)` returns a gradient per tensor, or `None`.
    """
    function = jax.custom_vjp(lambda *tensors: forward(*tensors)[0])
    function.defvjp(forward, backward)
    return function


def compile_gradient(
    function: Callable[..., Float[Tensor, ""]], variables: Sequence[Any]
) -> Callable[..., dict[str, Tensor]]:
    """Returns the gradient of a scalar, as a function that is fastest when it is called again.

    Args:
        function: `f(inputs, *others)`, of float tensors by name and of what else it depends on.
        variables: of the model that it calls, whose values are handed to it at each call.

    Returns:
        `g(inputs, *others)`, a gradient for each of the inputs, zeros where nothing depends on it.
    """
    return compile_with(jax.grad(function), variables)


def _having(variables: Sequence[Any], values: Sequence[Tensor]) -> keras.StatelessScope:
    """Returns a context in which `variables` have these values.

    Others that are not initialized stay so.
    """
    pairs = list(zip(variables, values, strict=True))
    return keras.StatelessScope(state_mapping=pairs, initialize_variables=False)
