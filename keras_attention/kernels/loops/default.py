"""Loops and branches in `keras.ops`."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

from keras import ops

from keras_attention.kernels.backend import BACKEND
from keras_attention.kernels.products.loop_weights import LoopWeights, asking
from keras_attention.kernels.runtime import is_concrete, on_cpu
from keras_attention.types import Bool, Int, Shaped, Tensor


def cond(
    condition: Bool[Tensor, ""], if_true: Callable[[], Tensor], if_false: Callable[[], Tensor]
) -> Tensor:
    """Returns `if_true()` or `if_false()`; no gradients flow through either."""
    if is_concrete(condition):  # JAX's would compile anew in every call
        return if_true() if condition else if_false()
    return ops.cond(condition, if_true, if_false)


def store(
    buffer: Shaped[Tensor, "..."],
    update: Shaped[Tensor, "..."],
    start: int | Int[Tensor, ""],
    *,
    axis: int = 2,
    in_place: bool = False,
) -> Shaped[Tensor, "..."]:
    """Returns `buffer` with `update` from index `start` of an axis on.

    XLA knows what to overwrite, whether or not `in_place`.
    """
    starts = [start if i == axis else 0 for i in range(len(buffer.shape))]
    return ops.slice_update(buffer, starts, ops.cast(update, buffer.dtype))


def count_filled(index: int | Int[Tensor, ""], length: int) -> int | None:
    """Returns how many positions are filled, if they are to be a tensor's shape, else `None`.

    On PyTorch, where Python knows: a view of them costs nothing. Compiled code would be another.
    """
    return index + length if BACKEND == "torch" and isinstance(index, int) else None


def while_loop(
    condition: Callable[[dict], Bool[Tensor, ""]],
    step: Callable[[dict], dict],
    carry: dict,
    *,
    variables: Sequence[Any],
    weights: Mapping[Any, Tensor],
    graphs: dict,
) -> dict:
    """Returns `carry` after `carry = step(carry)` while `condition(carry)`.

    Args:
        condition, step: of the loop.
        carry: tensors, in dictionaries that may be nested.
        variables: those that `step` reads.
        weights: what `lay_out_weights` returned for the same variables.
        graphs: a dictionary that lives as long as `step`, for PyTorch.
    """
    asks = weights or (variables and on_cpu(variables[0].value))
    with asking(LoopWeights(variables, weights)) if asks else nullcontext():
        return ops.while_loop(condition, step, carry)
