"""Attention for JAX on GPUs: cuDNN's fused kernel, which keeps no logits."""

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import jax
import jax.numpy as jnp

from keras_attention.types import Bool, Float, Shaped, Tensor

_AMPERE = (8, 0)  # the first GPUs that cuDNN has the kernel for


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
    """Returns `jax.nn.dot_product_attention` by cuDNN where it takes these, by XLA where not.

    Which of the two is decided when the function is lowered for a platform, not by the default
    device: a function may be traced on a machine with a GPU and run on its CPU.

    `mask` is boolean, or a float to add with -inf where it hides; it may go with `causal`. A
    `window` goes with `causal` alone.
    """
    if dropout:
        raise NotImplementedError("JAX's fused attention has no dropout: force another branch.")
    tensors = [jnp.swapaxes(x, 1, 2) for x in (query, key, value)]  # (B, T, N, H)
    masks = [] if mask is None else [mask]
    near = None if window is None else (window - 1, 0)  # positions to the left and to the right
    by_xla = partial(_by_xla, causal=causal, near=near, scale=scale)
    if _cudnn_takes(*(jax.ShapeDtypeStruct(x.shape, x.dtype) for x in (*tensors[:2], *masks))):
        by_cudnn = partial(_by_cudnn, causal=causal, near=near, scale=scale)
        y = jax.lax.platform_dependent(*tensors, *masks, cuda=by_cudnn, default=by_xla)
    else:
        y = by_xla(*tensors, *masks)
    return jnp.swapaxes(y, 1, 2)


def _by_cudnn(
    query: Float[Tensor, "B T N H"],
    key: Float[Tensor, "B S K H"],
    value: Float[Tensor, "B S K H"],
    mask: Shaped[Tensor, "B N T S"] | None = None,
    *,
    causal: bool,
    near: tuple[int, int] | None = None,
    scale: float,
) -> Float[Tensor, "B T N H"]:
    attend: Callable[..., Tensor] = partial(
        jax.nn.dot_product_attention,
        query,
        key,
        value,
        is_causal=causal,
        local_window_size=near,
        scale=scale,
        implementation="cudnn",
    )
    if mask is None:
        return attend()
    of_all = jnp.broadcast_to(mask, (*mask.shape[:2], query.shape[1], key.shape[1]))
    if mask.dtype != bool:
        # The lowest that JAX itself gives to cuDNN, which subtracts them from each other.
        lowest = -(2.0**15) if mask.dtype == jnp.float16 else -(2.0**41)
        return attend(bias=jnp.maximum(of_all, lowest))
    if mask.shape[1:3] != (1, 1):
        return attend(mask=of_all)
    seen = jnp.broadcast_to(mask[:, 0, 0], (len(query), key.shape[1]))
    lengths = jnp.sum(seen, axis=1, dtype=jnp.int32)
    return jax.lax.cond(
        jnp.all(seen == (jnp.arange(key.shape[1]) < lengths[:, None])),
        # A sequence of nothing has one key, so that no number is NaN: its output is not used.
        lambda: attend(key_value_seq_lengths=jnp.maximum(lengths, 1)),
        lambda: attend(mask=of_all),
    )


def _by_xla(
    query: Float[Tensor, "B T N H"],
    key: Float[Tensor, "B S K H"],
    value: Float[Tensor, "B S K H"],
    mask: Shaped[Tensor, "B N T S"] | None = None,
    *,
    causal: bool,
    near: tuple[int, int] | None = None,
    scale: float,
) -> Float[Tensor, "B T N H"]:
    dtype = query.dtype
    # On CPUs XLA has no product of 16 bits summed in 32, which JAX asks it for.
    query, key, value = (x.astype(jnp.promote_types(dtype, "float32")) for x in (query, key, value))
    attend = partial(jax.nn.dot_product_attention, query, key, value, scale=scale)
    if mask is None:
        return attend(is_causal=causal, local_window_size=near).astype(dtype)
    seen: Bool[Tensor, "B N T S"] = mask if mask.dtype == bool else mask > -jnp.inf
    if causal:
        seen = seen & jnp.tri(query.shape[1], key.shape[1], dtype=bool)
    bias = None if mask.dtype == bool else jnp.where(seen, mask, 0).astype(query.dtype)
    sees = jnp.swapaxes(jnp.any(seen, axis=3, keepdims=True), 1, 2)  # (B, T, N, 1)
    return jnp.where(sees, attend(bias=bias, mask=seen), 0).astype(dtype)


@lru_cache(maxsize=1024)
def _cudnn_takes(query: Any, key: Any, mask: Any = None) -> bool:
    """Returns whether JAX lets cuDNN compute attention of these shapes, and its gradient."""
    capability = getattr(jax.devices()[0], "compute_capability", "0.0")
    if tuple(map(int, capability.split("."))) < _AMPERE:
        return False
    attend = partial(_by_cudnn, causal=False, scale=1.0)

    def sum_up(query: Tensor, key: Tensor, mask: Tensor | None) -> Tensor:
        return jnp.sum(attend(query, key, key, mask).astype(jnp.float32))

    try:
        jax.eval_shape(jax.grad(sum_up, (0, 1)), query, key, mask)
    except (NotImplementedError, RuntimeError, ValueError):  # of this GPU, its library, these sizes
        return False
    return True
