"""Loops and branches for PyTorch, eager or compiled."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import keras
import torch
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils import _pytree as pytree

from keras_attention.kernels.loops.torch_step_graph import StepGraph
from keras_attention.kernels.products.loop_weights import LoopWeights, asking
from keras_attention.types import Bool, Int, Shaped, Tensor


def cond(
    condition: Bool[Tensor, ""], if_true: Callable[[], Tensor], if_false: Callable[[], Tensor]
) -> Tensor:
    """Returns `if_true()` or `if_false()`; no gradients flow through either."""
    if torch.compiler.is_compiling():
        with torch.no_grad():  # a branch must not return what it was given
            return torch.cond(condition, lambda: if_true().clone(), lambda: if_false().clone())
    # A trace would keep the branch of these tensors alone; meta tensors have no values.
    if torch.jit.is_tracing() or condition.is_meta:
        return torch.where(condition, if_true(), if_false())
    return if_true() if condition else if_false()


def store(
    buffer: Shaped[Tensor, "..."],
    update: Shaped[Tensor, "..."],
    start: int | Int[Tensor, ""],
    *,
    axis: int = 2,
    in_place: bool = False,
) -> Shaped[Tensor, "..."]:
    """Returns `buffer` with `update` from index `start` of an axis on; a copy unless `in_place`."""
    length = update.shape[axis]
    if in_place and isinstance(start, int):
        buffer.narrow(axis, start, length).copy_(update)
        return buffer
    index = torch.arange(length, device=buffer.device) + start
    write = buffer.index_copy_ if in_place else buffer.index_copy
    return write(axis, index, update.to(buffer.dtype))


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

    The Python of a step is many times slower than its computation for small models, so it runs
    once, and leaves a graph of operations for further steps and calls.

    Args:
        condition, step: of the loop.
        carry: tensors, in dictionaries that may be nested.
        variables: those that `step` reads; everything else it must find in `carry`.
        weights: what `lay_out_weights` returned for the same variables.
        graphs: a dictionary that keeps the graphs of this `step`, by the shapes of `carry`.
    """
    leaves, tree = pytree.tree_flatten(carry)
    leaves = [leaf.contiguous() for leaf in leaves]  # what is written to has memory of its own
    values = [*(variable.value for variable in variables), *weights.values()]
    named = *weights, str(tree)
    key = (named, *((leaf.shape, leaf.dtype, leaf.device) for leaf in leaves))

    def run_step(*tensors: Tensor) -> tuple[Tensor, ...]:
        pairs = list(zip(variables, tensors, strict=False))
        laid_out = dict(zip(weights, tensors[len(variables) :], strict=False))
        # Others that are not initialized stay so: a trace is no place to do it.
        with (
            keras.StatelessScope(state_mapping=pairs, initialize_variables=False),
            asking(LoopWeights(variables, laid_out)) if weights else nullcontext(),
        ):
            carry = step(pytree.tree_unflatten(tensors[len(values) :], tree))
        return *pytree.tree_leaves(carry), condition(carry)

    if not condition(carry):
        return carry
    if key not in graphs:
        # Traced on copies, since a step writes to its tensors; before operations are taken apart,
        # as one by one from Python they are slower.
        traced = make_fx(run_step, pre_dispatch=True)(*values, *(leaf.clone() for leaf in leaves))
        graphs[key] = StepGraph(traced, len(values))
    return pytree.tree_unflatten(graphs[key](values, leaves), tree)
