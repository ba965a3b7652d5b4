"""Weights as a loop wants them that XLA compiles for a CPU, where few rows come at a time.

To multiply a few rows by weights `(D, U)`, XLA first packs the weights into blocks, which takes
most of the time. By `(U, D)`, with the rows as columns, it packs the rows instead: half the time
for 8 of them. A single row takes `(D, U)` as it is. So weights are laid out once, before the loop.
"""

import math
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import keras
from keras import ops

Tensor = Any

_AS_COLUMNS = range(3, 65)  # rows: 2 take the same time both ways, and more than these too
_LEAST_NUMBERS = 2**14  # of weights that are laid out


class _State(threading.local):
    """What a trace in a thread knows, by the `id` of a variable."""

    noted: dict[int, bool] | None = None  # whether what was multiplied by was its transpose
    laid_out: dict[int, Tensor] | None = None


_state = _State()


def active() -> bool:
    """Whether `product` has to be called, where another way is as good."""
    return _state.noted is not None or _state.laid_out is not None


def noting(
    function: Callable[[], Any], variables: Sequence[Any], rows: int
) -> tuple[Any, dict[str, Tensor]]:
    """`function()`, and those weights it multiplied by that a loop over `rows` rows wants turned.

    They have the numbers in `variables` as names.
    """
    _state.noted = {}
    try:
        found = function()
        noted = _state.noted
    finally:
        _state.noted = None
    if rows != 1 and rows not in _AS_COLUMNS:
        return found, {}
    wanted = rows > 1  # that it is (U, D)
    return found, {
        str(number): ops.transpose(variable.value)
        for number, variable in enumerate(variables)
        if noted.get(id(variable), wanted) != wanted
    }


@contextmanager
def laid_out(turned: Mapping[str, Tensor], variables: Sequence[Any]) -> Iterator[None]:
    """A loop inside takes weights that `noting` found, among the same variables."""
    _state.laid_out = {id(variables[int(number)]): x for number, x in turned.items()}
    try:
        yield
    finally:
        _state.laid_out = None


def product(
    rows: Tensor, kernel: Any, transposed: bool, barrier: Callable[[Tensor], Tensor]
) -> Tensor:
    """`x W` of rows `(R, D)` and a variable W `(D, U)`, or W^T if that is the variable.

    Args:
        rows, kernel: of the product.
        transposed: whether `kernel` is `(U, D)`.
        barrier: the identity, which keeps XLA from undoing the order of what is before and after.
    """
    weights = ops.convert_to_tensor(kernel)
    many = math.prod(weights.shape) >= _LEAST_NUMBERS
    if not (active() and many and _is_float32(rows) and _is_float32(weights)):
        return _plain(rows, weights, transposed)
    if _state.noted is not None:
        _state.noted[id(kernel)] = transposed
    if _state.laid_out is None:
        return _plain(rows, weights, transposed)
    if id(kernel) in _state.laid_out:
        weights, transposed = _state.laid_out[id(kernel)], not transposed
    if not transposed or rows.shape[0] not in _AS_COLUMNS:
        return _plain(rows, weights, transposed)
    columns = barrier(ops.transpose(rows))
    return ops.transpose(barrier(ops.matmul(weights, columns)))


def _plain(rows: Tensor, weights: Tensor, transposed: bool) -> Tensor:
    return ops.matmul(rows, ops.transpose(weights) if transposed else weights)


def _is_float32(tensor: Tensor) -> bool:
    return keras.backend.standardize_dtype(tensor.dtype) == "float32"
