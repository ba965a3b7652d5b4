"""Functions and their gradients for PyTorch, which runs them eagerly."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.utils.checkpoint import checkpoint

from keras_attention.types import Float, Tensor


def compile(function: Callable) -> Callable:
    """Returns `function`."""
    return function


def compile_with(function: Callable, variables: Sequence[Any]) -> Callable:
    """Returns `function` without gradients."""
    return torch.no_grad()(function)


trace_with = compile_forward = compile_inference = compile_with


def recompute(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Returns `function` with its intermediates recomputed in the backward pass, not stored."""

    def checkpointed(*args: Tensor) -> Tensor:
        if not torch.is_grad_enabled():
            return function(*args)
        return checkpoint(function, *args, use_reentrant=False)

    return checkpointed


def define_gradient(forward: Callable, backward: Callable) -> Callable[..., Tensor]:
    """Returns `forward(*tensors)[0]` as a function, with `backward` for its gradient.

    Args:
        forward: `f(*tensors)` returns the output and what the gradient needs, a tuple of tensors.
        backward: `f(saved, gradient)` returns a gradient per tensor, or `None`.
    """

    class Function(torch.autograd.Function):
        @staticmethod
        def forward(context: Any, *tensors: Tensor) -> Tensor:
            output, saved = forward(*tensors)
            context.save_for_backward(*saved)
            return output

        @staticmethod
        @torch.autograd.function.once_differentiable
        def backward(context: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
            return backward(context.saved_tensors, gradient)

    return Function.apply


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
        with torch.enable_grad():
            leaves = {name: x.detach().requires_grad_() for name, x in inputs.items()}
            scalar = function(leaves, *others)
            gradients = torch.autograd.grad(scalar, list(leaves.values()), allow_unused=True)
        return {
            name: torch.zeros_like(leaf) if gradient is None else gradient
            for (name, leaf), gradient in zip(leaves.items(), gradients, strict=True)
        }

    return differentiate
