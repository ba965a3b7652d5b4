"""A bound on what building a model may allocate and compute, checked before each allocation."""

import math
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import keras

from keras_attention.saving.errors import RefusedFileError
from keras_attention.saving.limits import Limits, exceeded

_RESULTS = 10  # symbolic tensors that a call of a layer makes at most, on average


class Budget(threading.local):
    """The bound on what building in this thread may still take.

    Attributes:
        numbers: that the variables made may hold; `None` is no bound.
        results: how many symbolic tensors may be made.
        size: of such a tensor, its open sizes left out.
        blank: whether variables whose values would be drawn are zeros, since they get others next.
            Drawing takes longer than reading them, and several times their memory.
        refusal: set when something asked for more, also if Keras then reported another error.
    """

    numbers: int | None = None
    results: int = 0
    size: int = 0
    blank: bool = False
    refusal: RefusedFileError | None = None


_budget = Budget()
_lock = threading.Lock()
_watchers = 0
_variable, _tensor = keras.Variable.__init__, keras.KerasTensor.__init__


@contextmanager
def budget(numbers: int, limits: Limits) -> Iterator[Budget]:
    """Variables made inside hold at most `numbers` numbers and `limits.parameters` more.

    Symbolic tensors, of which Keras makes at least one for each call of a layer, are bound in
    size and number. Keras has no hook for what it allocates, so for the time of the block each
    `keras.Variable` and each `keras.KerasTensor` is counted by its shape before it is made.
    Other threads are not bound.

    Yields:
        The budget; its `refusal` is set when something asked for more. Its `blank` may be set.

    Raises:
        RefusedFileError: in the block, by what asks for too much.
    """
    global _watchers
    with _lock:
        _watchers += 1
        keras.Variable.__init__, keras.KerasTensor.__init__ = _count_variable, _count_tensor
    _budget.numbers, _budget.refusal = numbers + limits.parameters, None
    _budget.results, _budget.size = _RESULTS * limits.calls, limits.input_numbers
    try:
        yield _budget
    finally:
        _budget.numbers, _budget.blank = None, False
        with _lock:
            _watchers -= 1
            if not _watchers:
                keras.Variable.__init__, keras.KerasTensor.__init__ = _variable, _tensor


def _count_variable(
    self: keras.Variable, initializer: Any, shape: Any = None, *args: Any, **kwargs: Any
) -> None:
    if _budget.numbers is not None:
        sizes = shape if shape is not None else getattr(initializer, "shape", ())
        count = _product(sizes)
        if count > _budget.numbers:
            _refuse(
                f"What the model holds beyond its file's weights (a variable {tuple(sizes)})",
                f"{count - _budget.numbers:,} numbers",
                "parameters",
                "what is left of `Limits.parameters`",
            )
        _budget.numbers -= count
        if _budget.blank and hasattr(initializer, "seed"):
            initializer = "zeros"
    _variable(self, initializer, shape, *args, **kwargs)


def _count_tensor(self: keras.KerasTensor, shape: Any, *args: Any, **kwargs: Any) -> None:
    if _budget.numbers is not None:
        size = _product(shape if isinstance(shape, Iterable) else (shape,))
        if size > _budget.size:
            _refuse(
                f"The size of an input or a result {tuple(shape)}",
                f"{size:,}",
                "input_numbers",
                f"{_budget.size:,}",
            )
        _budget.results -= 1
        if _budget.results < 0:
            _refuse(
                "The number of calls of layers that building it takes",
                "more than ten results for each that is allowed",
                "calls",
                "what is left of `Limits.calls`",
            )
    _tensor(self, shape, *args, **kwargs)


def _product(sizes: Iterable[Any]) -> int:
    return math.prod(max(size, 0) for size in sizes if isinstance(size, int))


def _refuse(what: str, actual: str, limit: str, value: str) -> None:
    _budget.refusal = exceeded(what, actual, limit, value)
    raise _budget.refusal
