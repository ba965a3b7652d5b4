"""Weights as a loop on a CPU wants them, which multiplies few rows at a time.

To multiply a few rows by weights `(D, U)`, XLA and PyTorch's libraries first pack the weights into
blocks, which takes most of the time. By `(U, D)`, with the rows as columns, they pack the rows
instead: half the time for 8 of them. A single row takes `(D, U)` as it is. So weights are laid out
once, before the loop.
"""

import math
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import keras
from keras import ops

Tensor = Any

_LEAST_NUMBERS = 2**14  # of weights that are laid out


class _State(threading.local):
    """What a trace in a thread knows, by the `id`s of variables `(D, U)` that lie side by side."""

    noted: dict[tuple[int, ...], bool] | None = None  # whether they were multiplied by transposed
    laid_out: dict[tuple[int, ...], tuple[Tensor, bool]] | None = None  # and if it is (U, D)


_state = _State()


def active() -> bool:
    """Whether `find` has to be called, where another way is as good."""
    return _state.noted is not None or _state.laid_out is not None


def noting(
    function: Callable[[], Any], variables: Sequence[Any], as_columns: bool
) -> tuple[Any, dict[str, Tensor]]:
    """`function()`, and those weights it multiplied by that a loop wants otherwise than they are.

    Their names are how they lie and which of the variables they are.

    Args:
        function, variables: what is run, and what it reads.
        as_columns: whether the loop's rows are to be columns, of which it wants weights `(U, D)`.
    """
    _state.noted = {}
    try:
        found = function()
        noted = _state.noted
    finally:
        _state.noted = None
    numbers = {id(variable): number for number, variable in enumerate(variables)}
    laid_out = {}
    for names, transposed in noted.items():
        if transposed == as_columns and len(names) == 1:
            continue
        values = [variables[numbers[name]].value for name in names if name in numbers]
        if len(values) == len(names):
            whole = values[0] if len(names) == 1 else ops.concatenate(values, axis=1)
            name = " ".join(["UD" if as_columns else "DU", *(str(numbers[n]) for n in names)])
            laid_out[name] = whole if transposed == as_columns else ops.transpose(whole)
    return found, laid_out


@contextmanager
def laid_out(weights: Mapping[str, Tensor], variables: Sequence[Any]) -> Iterator[None]:
    """A loop inside takes weights that `noting` found, among the same variables."""
    _state.laid_out = {}
    for name, tensor in weights.items():
        layout, *numbers = name.split()
        names = tuple(id(variables[int(number)]) for number in numbers)
        _state.laid_out[names] = tensor, layout == "UD"
    try:
        yield
    finally:
        _state.laid_out = None


def find(rows: Tensor, kernels: Sequence[Any], transposed: bool) -> tuple[Tensor, bool] | None:
    """The weights that a loop multiplies rows `(..., D)` by, and whether they are `(U, D)`.

    `None` outside of a loop, and if they are few or not of 32 bits: any way is good then.

    Args:
        rows: of the product.
        kernels: one variable, or some `(D, U)` that are to lie side by side.
        transposed: whether the variable is `(U, D)`.
    """
    if not active():
        return None
    first = ops.convert_to_tensor(kernels[0])
    many = sum(math.prod(kernel.shape) for kernel in kernels) >= _LEAST_NUMBERS
    if not (many and _is_float32(rows) and _is_float32(first)):
        return None
    names = tuple(id(kernel) for kernel in kernels)
    if _state.noted is not None:
        _state.noted[names] = transposed
    if _state.laid_out is None:
        return None
    as_it_is = (first, transposed) if len(kernels) == 1 else None
    return _state.laid_out.get(names, as_it_is)


def _is_float32(tensor: Tensor) -> bool:
    return keras.backend.standardize_dtype(tensor.dtype) == "float32"
