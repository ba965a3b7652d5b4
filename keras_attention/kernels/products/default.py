"""Products for XLA, in `keras.ops`."""

from collections.abc import Sequence

from keras import ops

from keras_attention.kernels.backend import BACKEND
from keras_attention.kernels.compilation import barrier
from keras_attention.kernels.products import loop_weights
from keras_attention.kernels.products.adapted import AdaptedKernel, multiply
from keras_attention.types import Float, Tensor


def linear(
    x: Float[Tensor, "... D"],
    kernel: Float[Tensor, "D U"],
    bias: Float[Tensor, " U"] | None = None,
    *,
    transposed: bool = False,
) -> Float[Tensor, "... U"]:
    """Returns `x W + b` of variables; W is `(U, D)` if `transposed`. W may be adapted."""
    if BACKEND != "jax" and not loop_weights.active() and not isinstance(kernel, AdaptedKernel):
        return _add(ops.matmul(x, ops.transpose(kernel) if transposed else kernel), bias)
    # On a matrix, the bias too: XLA on CPU takes twice as long for the gradients of a batch of
    # matrices, and some percent longer for those of a bias that is added to one.
    rows = ops.reshape(x, (-1, x.shape[-1]))
    y = _add(_multiply(rows, kernel, transposed), bias)
    return ops.reshape(y, (*ops.shape(x)[:-1], y.shape[-1]))


def linears(
    x: Float[Tensor, "... D"], projections: Sequence[tuple[Tensor, Tensor | None]]
) -> Sequence[Float[Tensor, "... U"]]:
    """Returns `linear` of one input for each (kernel, bias)."""
    return [linear(x, kernel, bias) for kernel, bias in projections]


def _multiply(
    rows: Float[Tensor, "R D"], kernel: Float[Tensor, "D U"], transposed: bool
) -> Float[Tensor, "R U"]:
    weights = loop_weights.find(rows, [kernel], transposed)
    if weights is not None:
        kernel, transposed = weights
        if transposed and rows.shape[0] in loop_weights.AS_COLUMNS:
            columns = barrier(ops.transpose(rows))
            return ops.transpose(barrier(ops.matmul(kernel, columns)))
    return ops.matmul(rows, ops.transpose(kernel)) if transposed else multiply(rows, kernel)


def _add(y: Float[Tensor, "... U"], bias: Float[Tensor, " U"] | None) -> Float[Tensor, "... U"]:
    return y if bias is None else ops.add(y, bias)
