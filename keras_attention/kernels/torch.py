"""PyTorch."""

import torch
import torch.nn.functional as F
from torch.utils.checkpoint import checkpoint


def fused_attention(query, key, value, *, mask=None, bias=None, causal=False, scale, dropout=0.0):
    """`F.scaled_dot_product_attention`, head-major: `(B, N, T, H)` on `(B, K, S, H)`.

    The mask stays boolean, or -inf inside a bias: with a large negative number instead, the
    CPU kernel's gradient of a fully masked row is wrong. With dropout the CPU has no fused
    kernel (it would build T x S as well, and ignore Keras's seeds); CUDA draws the dropout
    from PyTorch's generator.
    """
    if dropout and query.device.type == "cpu":
        return None
    if mask is not None and causal:
        mask = mask & torch.ones(
            query.shape[-2], key.shape[-2], dtype=torch.bool, device=mask.device
        ).tril(key.shape[-2] - query.shape[-2])
        causal = False
    if bias is not None:
        bias = bias.to(query.dtype)
        if causal:
            mask = torch.ones(
                query.shape[-2], key.shape[-2], dtype=torch.bool, device=bias.device
            ).tril()
            causal = False
        mask = bias if mask is None else bias.masked_fill(~mask, float("-inf"))
    return F.scaled_dot_product_attention(
        query,
        key,
        value,
        attn_mask=mask,
        is_causal=causal,
        scale=scale,
        dropout_p=dropout,
        enable_gqa=query.shape[1] != key.shape[1],
    )


def segment_sum(data, segment_ids, num_segments):
    """Sums rows of `data` `(E, ...)` that share an id: `(num_segments, ...)`."""
    out = data.new_zeros((num_segments, *data.shape[1:]))
    return out.index_add(0, segment_ids, data)


def segment_max(data, segment_ids, num_segments):
    """Maximum of the rows that share an id; the lowest finite number where there are none."""
    out = data.new_full((num_segments, *data.shape[1:]), torch.finfo(data.dtype).min)
    ids = segment_ids.reshape(-1, *[1] * (data.ndim - 1)).expand_as(data)
    return out.scatter_reduce(0, ids.to(torch.int64), data, "amax")


def recompute(function):
    """`function` with its intermediates recomputed in the backward pass, not stored."""

    def recomputed(*args):
        if not torch.is_grad_enabled():
            return function(*args)
        return checkpoint(function, *args, use_reentrant=False)

    return recomputed


def is_concrete(tensor):
    """Whether the values of `tensor` can be looked at now (no tracing, no meta device)."""
    return not (torch.compiler.is_compiling() or tensor.is_meta)


def compile(function):
    """`function` as the backend runs it fastest; eager on PyTorch."""
    return function


def device_name():
    """The device that computes, in words."""
    return torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
