"""Rows for PyTorch, which computes a small one faster than Keras finds out of what dtype it is."""

import keras
import torch
import torch.nn.functional as F

from keras_attention.kernels.rows import default
from keras_attention.kernels.runtime.torch import becomes_graph
from keras_attention.types import Bool, Float, Int, Shaped, Tensor


def normalize(norm: keras.Layer, x: Float[Tensor, "... D"]) -> Float[Tensor, "... D"]:
    """Returns what the layer `norm` computes of `x`, without what Keras does around a call.

    Of a `LayerNormalization` of the last axis in 32 bits it is the function that Keras calls too.
    """
    if (
        type(norm) is not keras.layers.LayerNormalization
        or x.dtype is not torch.float32
        or norm.compute_dtype != "float32"
        or norm.rms_scaling
        or norm.axis not in ([-1], [x.ndim - 1])
    ):
        return norm.call(x)
    gamma, beta = norm.gamma, norm.beta
    weight = None if gamma is None else gamma.value
    bias = None if beta is None else beta.value
    if not (_is_float32(weight) and _is_float32(bias)):
        return norm.call(x)
    return torch.layer_norm(x, x.shape[-1:], weight, bias, norm.epsilon)


def _is_float32(weight: Tensor | None) -> bool:
    return weight is None or weight.dtype is torch.float32


def zero_rows(x: Shaped[Tensor, "B T ..."], mask: Bool[Tensor, "B T"]) -> Float[Tensor, "B T ..."]:
    """Returns `x` with zeros where `mask` is False."""
    if becomes_graph() or not (isinstance(x, torch.Tensor) and isinstance(mask, torch.Tensor)):
        return default.zero_rows(x, mask)
    return torch.where(mask[(..., *[None] * (x.ndim - mask.ndim))], x, 0.0)


def crossentropy(
    targets: Int[Tensor, "..."], logits: Float[Tensor, "... V"], smoothing: float
) -> Float[Tensor, "..."]:
    """Returns the cross-entropy of targets of which a share of `smoothing` is spread over all.

    Classes are last, and one row follows the other: PyTorch's kernel takes twice as long where they
    are second, as Keras has them.
    """
    loss = F.cross_entropy(
        logits.reshape(-1, logits.shape[-1]),
        targets.reshape(-1).long(),
        reduction="none",
        label_smoothing=smoothing,
        ignore_index=torch.iinfo(torch.int64).min,  # none: -100 is an error, too
    )
    return loss.view(targets.shape)
