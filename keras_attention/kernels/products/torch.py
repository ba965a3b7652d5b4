"""Products for PyTorch."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F

from keras_attention.kernels.products import loop_weights
from keras_attention.kernels.products.adapted import AdaptedKernel
from keras_attention.types import Float, Tensor


def linear(
    x: Float[Tensor, "... D"],
    kernel: Float[Tensor, "D U"],
    bias: Float[Tensor, " U"] | None = None,
    *,
    transposed: bool = False,
) -> Float[Tensor, "... U"]:
    """Returns `x W + b` of variables; W is `(U, D)` if `transposed`. W may be adapted."""
    in_loop = loop_weights.find(x, [kernel], transposed)
    if in_loop is None:
        return _multiply_outside(x, kernel, bias, transposed)
    return _multiply(x, in_loop[0], None if bias is None else bias.value, in_loop[1], True)


def linears(
    x: Float[Tensor, "... D"], projections: Sequence[tuple[Tensor, Tensor | None]]
) -> Sequence[Float[Tensor, "... U"]]:
    """Returns `linear` of one input for each (kernel, bias).

    In a loop, which has the weights side by side, it is one product. Elsewhere it is one for each:
    to join the weights at every call takes longer than one product saves.
    """
    kernels, biases = zip(*projections, strict=True)
    if len({bias is None for bias in biases}) > 1:
        return [linear(x, kernel, bias) for kernel, bias in projections]
    in_loop = loop_weights.find(x, kernels, False)
    if in_loop is None or torch.is_grad_enabled():
        return [_multiply_outside(x, kernel, bias, False) for kernel, bias in projections]
    weights, transposed = in_loop
    bias = None if biases[0] is None else torch.cat([bias.value for bias in biases])
    y = _multiply(x, weights, bias, transposed, True)
    return y.split([kernel.shape[1] for kernel in kernels], dim=-1)


def _multiply_outside(
    x: Float[Tensor, "... D"],
    kernel: Float[Tensor, "D U"],
    bias: Float[Tensor, " U"] | None,
    transposed: bool,
) -> Float[Tensor, "... U"]:
    """Returns `linear` outside of a loop."""
    added = None if bias is None else bias.value
    if not isinstance(kernel, AdaptedKernel):
        return _multiply(x, kernel.value, added, transposed, False)
    if kernel.quantized:
        y = kernel.multiply(x)
        return y if added is None else y + added
    return kernel.add_to(F.linear(x, kernel.variable.value.T, added), x)


def _multiply(
    x: Float[Tensor, "... D"],
    weights: Float[Tensor, "D U"],
    bias: Float[Tensor, " U"] | None,
    transposed: bool,
    in_loop: bool,
) -> Float[Tensor, "... U"]:
    if not (in_loop and transposed and x[..., 0].numel() in loop_weights.AS_COLUMNS):
        return F.linear(x, weights if transposed else weights.T, bias)
    columns = x.reshape(-1, x.shape[-1]).T
    y = weights @ columns if bias is None else torch.addmm(bias[:, None], weights, columns)
    return y.T.contiguous().view(*x.shape[:-1], -1)  # fused attention wants rows
