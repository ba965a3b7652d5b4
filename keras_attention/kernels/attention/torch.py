"""Parts of attention for PyTorch: its fused kernel, views; what is not softmax, by chunks."""

from collections.abc import Callable, Sequence

import keras
import torch
import torch.nn.functional as F

from keras_attention.kernels import runtime
from keras_attention.kernels.attention import default, torch_additive, torch_linear, torch_listed
from keras_attention.kernels.runtime.torch import becomes_graph, is_concrete, on_cpu
from keras_attention.types import Bool, Float, Int, Shaped, Tensor

_WORTH_WAITING = 1024  # tokens


def fused_attention(
    query: Float[Tensor, "B N T H"],
    key: Float[Tensor, "B K S H"],
    value: Float[Tensor, "B K S H"],
    *,
    mask: Shaped[Tensor, "B N T S"] | None = None,
    causal: bool = False,
    window: int | None = None,
    scale: float,
    dropout: float = 0.0,
) -> Float[Tensor, "B N T H"]:
    """Returns `F.scaled_dot_product_attention`, which takes no window.

    `mask` is boolean, or a float to add with -inf where it hides: with a large negative number
    instead, the CPU kernel's gradient of a fully masked row is wrong. Not with `causal`. The
    dropout is drawn from PyTorch's own generator.
    """
    if window is not None:
        raise NotImplementedError("PyTorch's kernel has no window: pass a mask of it.")
    groups = int(query.shape[1]) // int(key.shape[1])  # of tensors, in a trace
    if groups > 1 and torch.jit.is_tracing():  # ONNX knows no groups
        key, value = (x.repeat_interleave(groups, dim=1) for x in (key, value))
        groups = 1
    return F.scaled_dot_product_attention(
        query,
        key,
        value,
        attn_mask=mask,
        is_causal=causal,
        scale=scale,
        dropout_p=dropout,
        enable_gqa=groups > 1,
    )


def split_heads(x: Float[Tensor, "B T N*H"], head_dim: int) -> Float[Tensor, "B N T H"]:
    """Returns heads of the size `head_dim`, a view."""
    # Not `unflatten`, of which the export to ONNX takes the sizes for constants.
    batch, length, width = x.shape
    return x.view(batch, length, width // head_dim, head_dim).transpose(1, 2)


def merge_heads(x: Float[Tensor, "B N T H"]) -> Float[Tensor, "B T N*H"]:
    """Returns the heads side by side."""
    return x.transpose(1, 2).flatten(2)


def split_blocks(x: Float[Tensor, "B N T H"], size: int) -> Sequence[Float[Tensor, "B N size H"]]:
    """Returns `x` in blocks of `size` along T, whose gradients are of that size too."""
    return x.split(size, dim=2)


def hides_padding(mask: Bool[Tensor, "B T"]) -> bool:
    """Returns whether padding is known to be on the right alone, where an order hides it.

    A GPU must be waited for, which long sequences alone are worth.
    """
    plain = type(mask) is torch.Tensor and is_concrete(mask)
    if not plain or not (on_cpu(mask) or mask.shape[1] >= _WORTH_WAITING):
        return False
    return not bool((mask[:, 1:] & ~mask[:, :-1]).any())


def spans(
    x: Float[Tensor, "B N S H"], size: int
) -> Callable[[int, int], Float[Tensor, "B N size H"]]:
    """Returns a function of `start`, a multiple of `size`, and `stop`: that span of `x`, a view
    unless it has a gradient."""
    if torch.is_grad_enabled() and x.requires_grad:
        blocks = x.split(size, dim=2)
        return lambda start, stop: torch.cat(blocks[start // size : -(-stop // size)], dim=2)
    return lambda start, stop: x[:, :, start:stop]


def take_columns(
    data: Float[Tensor, "B N T C"], columns: Int[Tensor, "T S"]
) -> Float[Tensor, "B N T S"]:
    """Returns of each row of `data` its own `columns`, which must be inside."""
    batch, heads, *_ = data.shape
    return data.gather(-1, columns.long().expand(batch, heads, *columns.shape))


def listed_attention(
    query: Float[Tensor, "B N T H"],
    key: Float[Tensor, "B K T H"],
    value: Float[Tensor, "B K T H"],
    lists: Int[Tensor, "B n M"],
    *,
    size: int,
    mask: Bool[Tensor, "B T"] | None,
    causal: bool,
    scale: float,
    dropout: float = 0.0,
    seed: keras.random.SeedGenerator | None = None,
) -> Float[Tensor, "B N T H"]:
    """Returns attention of blocks of `size` queries to the blocks of keys on their lists.

    It can be differentiated once. The last block may be smaller.

    Args:
        lists: of each row or of all, in any order; the number of blocks where there is none.
        mask: padding mask of the keys.
    """
    length = query.shape[2]
    room = -length % size
    if room:
        query, key, value = (F.pad(x, (0, 0, 0, room)) for x in (query, key, value))
        if mask is None and not causal:
            mask = query.new_ones(len(query), length, dtype=torch.bool)
        mask = None if mask is None else F.pad(mask, (0, room))
    plan = torch_listed.Plan(size, causal, scale, dropout)
    drawn = seed.next() if seed is not None and dropout else None
    y = torch_listed.Attention.apply(query, key, value, lists, mask, drawn, plan)
    return y[:, :, :length]


def linear_attention(
    query: Float[Tensor, "B N T H"],
    key: Float[Tensor, "B K S H"],
    value: Float[Tensor, "B K S H"],
    mask: Bool[Tensor, "B S"] | None,
    *,
    feature_map: str,
    causal: bool,
    plain: Callable[..., Float[Tensor, "B N T H"]],
) -> Float[Tensor, "B N T H"]:
    """Returns `plain(query, key, value)`: linear attention of that mask and feature map.

    Eager on a CPU by chunks, in a fifth of the time. A GPU takes all of them at once. Of nothing
    there are no chunks.
    """
    if becomes_graph() or not on_cpu(query) or not query.numel():
        return plain(query, key, value)
    y, _ = torch_linear.Attention.apply(query, key, value, mask, feature_map, causal, plain)
    return y


def additive_scores(
    query: Float[Tensor, "... T U"],
    key: Float[Tensor, "... S U"],
    vector: Float[Tensor, "... U"],
    activation: Callable[[Tensor], Tensor] | None = None,
) -> Float[Tensor, "... T S"]:
    """Returns `vector . activation(q_t + k_s)`; see `ops.additive`.

    With tanh in chunks of queries, in one buffer, with a gradient of its own. Compiled, in one
    piece: then nothing of T x S x U is held either. Traced too, for a loop would be that of one
    length.
    """
    if activation is not None or vector.ndim > 1 or query.shape[0] == 0:
        return default.additive_scores(query, key, vector, activation)
    if becomes_graph():
        return torch_additive.scores(query, key, vector)
    return torch_additive.Scores.apply(query, key, vector, runtime.chunk_numbers())
