"""Weights as a loop on a CPU wants them, which multiplies few rows at a time.

To multiply a few rows by weights `(D, U)`, XLA and PyTorch's libraries first pack the weights into
blocks, which takes most of the time. By `(U, D)`, with the rows as columns, they pack the rows
instead: half the time for 8 of them. A single row takes `(D, U)` as it is. So weights are laid out
once, before the loop. A kernel with an adapter, or in 8 bits, is made one of plain numbers there,
on every device.

```python
y, laid_out = lay_out_weights(lambda: layer(x), layer.variables, rows=8)  # once, before the loop
with asking(LoopWeights(layer.variables, laid_out)):  # which a `while_loop` does around its step
    y = layer(x)
```
"""

import math
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias, TypeVar

import keras
from keras import ops

from keras_attention.kernels.backend import BACKEND
from keras_attention.kernels.products.adapted import AdaptedKernel, variable_of
from keras_attention.kernels.runtime import on_cpu
from keras_attention.types import Float, Tensor

Result = TypeVar("Result")

# By layout, "DU" or "UD", and the numbers of the variables that lie side by side: a dictionary may
# be an argument of compiled functions, where an object of Python's may not.
LaidOut: TypeAlias = dict[tuple[str, tuple[int, ...]], Float[Tensor, "D U"]]

_LEAST_NUMBERS = 2**14  # of weights that are laid out

# Rows that are multiplied as columns: more take the same time both ways, and 2 on XLA too.
AS_COLUMNS = range(2, 49) if BACKEND == "torch" else range(3, 65)


def lay_out_weights(
    function: Callable[[], Result], variables: Sequence[Any], rows: int | None
) -> tuple[Result, LaidOut]:
    """Returns `function()`, and the weights it multiplied by as a loop of `rows` rows wants them.

    Only those that a loop wants otherwise than they are; on a GPU those of adapted kernels.

    Args:
        function: what computes as a step of the loop will.
        variables: those that it reads.
        rows: how many a step multiplies by weights; `None` if that is not known.
    """
    few = rows == 1 or rows in AS_COLUMNS
    products = _Products(variables, bool(few and variables and on_cpu(variables[0].value)))
    with asking(products):
        result = function()
    return result, products.lay_out(as_columns=products.arranges and rows in AS_COLUMNS)


class _Products:
    """The products with variables inside `asking`, which compute as elsewhere.

    Args:
        variables: of which they are.
        arranges: whether variables are to be laid out, and not adapted kernels alone.
    """

    def __init__(self, variables: Sequence[Any], arranges: bool) -> None:
        self._numbers = _number(variables)
        self.arranges = arranges
        self._noted: dict[tuple[int, ...], tuple[Sequence[Any], bool, str]] = {}

    def find(self, rows: Tensor, kernels: Sequence[Any], transposed: bool) -> None:
        """Notes a product."""
        numbers = tuple(self._numbers.get(id(variable_of(kernel)), -1) for kernel in kernels)
        if -1 not in numbers and (self.arranges or any(map(_is_adapted, kernels))):
            dtype = keras.backend.standardize_dtype(rows.dtype)
            self._noted[numbers] = kernels, transposed, dtype

    def lay_out(self, *, as_columns: bool) -> LaidOut:
        """Returns those weights that a loop wants otherwise than they are.

        Args:
            as_columns: whether the loop's rows are to be columns, of which it wants `(U, D)`.
        """
        laid_out: LaidOut = {}
        for numbers, (kernels, transposed, dtype) in self._noted.items():
            if transposed == as_columns and len(numbers) == 1 and not _is_adapted(kernels[0]):
                continue
            values = [
                kernel.value(dtype) if _is_adapted(kernel) else kernel.value for kernel in kernels
            ]
            if transposed != as_columns:
                values = [ops.transpose(value) for value in values]
            # A single one too: PyTorch's transpose is a view, and what this returns is not.
            weights = ops.concatenate(values, axis=0 if as_columns else 1)
            laid_out["UD" if as_columns else "DU", numbers] = weights
        return laid_out


class LoopWeights:
    """The weights that products inside `asking` multiply by, as they lie in memory.

    Args:
        variables: the same as those of `lay_out_weights`.
        laid_out: what it returned.
    """

    arranges = True

    def __init__(self, variables: Sequence[Any], laid_out: Mapping[Any, Tensor]) -> None:
        self._variables = variables  # while they live no other object has their `id`
        self._numbers = _number(variables)
        self._laid_out = laid_out

    def find(
        self, rows: Tensor, kernels: Sequence[Any], transposed: bool
    ) -> tuple[Tensor, bool] | None:
        """Returns weights, and whether they are `(U, D)`; `None` if they are to be joined first."""
        numbers = tuple(self._numbers.get(id(variable_of(kernel))) for kernel in kernels)
        for layout in ("DU", "UD"):
            if (layout, numbers) in self._laid_out:
                return self._laid_out[layout, numbers], layout == "UD"
        if len(kernels) > 1 or _is_adapted(kernels[0]):
            return None
        return ops.convert_to_tensor(kernels[0]), transposed


class _Thread(threading.local):
    """The one that products ask for weights, in a thread."""

    asked: _Products | LoopWeights | None = None


_thread = _Thread()


@contextmanager
def asking(weights: _Products | LoopWeights) -> Iterator[None]:
    """Has each product inside ask `weights`, in this thread; of nested ones the innermost."""
    outer = _thread.asked
    _thread.asked = weights
    try:
        yield
    finally:
        _thread.asked = outer


def active() -> bool:
    """Returns whether `find` has to be called for variables, where another way is as good."""
    return _thread.asked is not None and _thread.asked.arranges


def find(
    rows: Float[Tensor, "... D"], kernels: Sequence[Any], transposed: bool
) -> tuple[Float[Tensor, "D U"], bool] | None:
    """Returns the weights that a loop multiplies rows by, and whether they are `(U, D)`.

    `None` outside of a loop, and of variables that are few or not of 32 bits: any way is good then.

    Args:
        rows: of the product.
        kernels: one variable or adapted kernel, or some `(D, U)` that are to lie side by side.
        transposed: whether the variable is `(U, D)`.
    """
    asked = _thread.asked
    if asked is None:
        return None
    if not any(map(_is_adapted, kernels)):
        many = sum(math.prod(kernel.shape) for kernel in kernels) >= _LEAST_NUMBERS
        if not (many and _is_float32(rows) and _is_float32(ops.convert_to_tensor(kernels[0]))):
            return None
    return asked.find(rows, kernels, transposed)


def _number(variables: Sequence[Any]) -> dict[int, int]:
    """Returns the number of each variable by its `id`: `==` would compare values."""
    return {id(variable): number for number, variable in enumerate(variables)}


def _is_adapted(kernel: Any) -> bool:
    return isinstance(kernel, AdaptedKernel)


def _is_float32(tensor: Tensor) -> bool:
    return keras.backend.standardize_dtype(tensor.dtype) == "float32"
