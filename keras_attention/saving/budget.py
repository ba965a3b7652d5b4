"""A bound on what building a model may allocate, checked before each allocation."""

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras

from keras_attention.saving.errors import RefusedFileError
from keras_attention.saving.limits import Limits, exceeded


class Budget(threading.local):
    """What the variables made in this thread may still hold; `None` is no bound."""

    left: int | None = None
    refusal: RefusedFileError | None = None


_budget = Budget()
_lock = threading.Lock()
_watchers = 0
_original = keras.Variable.__init__


@contextmanager
def budget(numbers: int, limits: Limits) -> Iterator[Budget]:
    """Variables made inside hold at most `numbers` numbers and `limits.parameters` more.

    Keras has no hook for what it allocates, so for the time of the block each `keras.Variable`
    is counted by its shape before it is made. Other threads are not bound.

    Yields:
        The budget; its `refusal` is set when something asked for more, also if Keras then
        reported another error.

    Raises:
        RefusedFileError: in the block, by the variable that asks for too much.
    """
    global _watchers
    with _lock:
        _watchers += 1
        keras.Variable.__init__ = _counted
    _budget.left, _budget.refusal = numbers + limits.parameters, None
    try:
        yield _budget
    finally:
        _budget.left = None
        with _lock:
            _watchers -= 1
            if not _watchers:
                keras.Variable.__init__ = _original


def _counted(
    self: keras.Variable, initializer: Any, shape: Any = None, *args: Any, **kwargs: Any
) -> None:
    if _budget.left is not None:
        sizes = shape if shape is not None else getattr(initializer, "shape", ())
        count = math.prod(max(size, 0) for size in sizes if isinstance(size, int))
        if count > _budget.left:
            _budget.refusal = exceeded(
                f"What the model holds beyond its file's weights (a variable {tuple(sizes)})",
                f"{count - _budget.left:,} numbers",
                "parameters",
                "what is left of `Limits.parameters`",
            )
            raise _budget.refusal
        _budget.left -= count
    _original(self, initializer, shape, *args, **kwargs)
