"""What JAX and TensorFlow have in common: XLA on a CPU."""

from collections.abc import Callable, Sequence
from typing import Any

from keras import ops

from keras_attention.kernels import loop_weights

Tensor = Any

_AS_COLUMNS = range(3, 65)  # rows: 2 take the same time both ways, and more than these too


def noting_weights(
    function: Callable[[], Any], variables: Sequence[Any], rows: int
) -> tuple[Any, dict[str, Tensor]]:
    """`kernels.noting_weights`."""
    if rows != 1 and rows not in _AS_COLUMNS:
        return function(), {}
    return loop_weights.noting(function, variables, rows in _AS_COLUMNS)


def product(
    rows: Tensor, kernel: Any, transposed: bool, barrier: Callable[[Tensor], Tensor]
) -> Tensor:
    """`x W` of rows `(R, D)` and a variable W `(D, U)`, or W^T if that is the variable.

    Args:
        rows, kernel: of the product.
        transposed: whether `kernel` is `(U, D)`.
        barrier: the identity, which keeps XLA from undoing the order of what is before and after.
    """
    found = loop_weights.find(rows, [kernel], transposed)
    if found is not None:
        kernel, transposed = found
        if transposed and rows.shape[0] in _AS_COLUMNS:
            columns = barrier(ops.transpose(rows))
            return ops.transpose(barrier(ops.matmul(kernel, columns)))
    return ops.matmul(rows, ops.transpose(kernel) if transposed else kernel)
