"""PyTorch: attention of long inputs as its users write it, `(B, N, T, H)`, causal.

Each function returns peers by name: functions of queries, keys and values.
"""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import torch
import torch.nn.functional as F
from torch.nn.attention.flex_attention import BlockMask, flex_attention

LIBRARIES = {"local-attention": "local_attention"}  # that a peer needs
_BLOCK = 128  # of flex_attention


def window_attention(window: int, *, length: int, train: bool) -> dict[str, Callable]:
    """Returns attention to the `window` last keys."""
    peers = {
        "blocks on SDPA": partial(_blocks, window=window),
        "local-attention": partial(_local_attention, window=window),
    }
    if not train or torch.cuda.is_available():  # on a CPU it has no gradient
        peers["flex_attention, compiled"] = _flex(_of_window(window, length))
    return peers


def listed_attention(lists: Any, size: int, *, length: int, train: bool) -> dict[str, Callable]:
    """Returns attention of blocks to those on their `lists`, `(n, M)`; n where there is none."""
    peers = {"gathered keys on SDPA": partial(_gathered, lists=torch.as_tensor(lists), size=size)}
    if not train or torch.cuda.is_available():
        peers["flex_attention, compiled"] = _flex(_of_lists(torch.as_tensor(lists), size))
    return peers


def linear_attention() -> dict[str, Callable]:
    """Returns linear attention of features `elu(x) + 1`."""
    return {"chunks": _chunks}


def _blocks(query: Any, key: Any, value: Any, *, window: int) -> Any:
    """Blocks of queries, each on two blocks of keys; split, which has gradients of their size."""
    steps = torch.arange(2 * window, device=query.device)
    distance = steps[:window, None] + window - steps
    sees = (distance >= 0) & (distance < window)
    outputs, last = [], ()
    for q, *memory in zip(*(x.split(window, dim=2) for x in (query, key, value)), strict=True):
        pairs = zip(last, memory, strict=True) if last else ([x] for x in memory)
        k, v = (torch.cat(list(pair), dim=2) for pair in pairs)
        outputs.append(F.scaled_dot_product_attention(q, k, v, sees[:, -k.shape[2] :]))
        last = memory
    return torch.cat(outputs, dim=2)


def _local_attention(query: Any, key: Any, value: Any, *, window: int) -> Any:
    """It sees one key more."""
    from local_attention import LocalAttention

    attend = LocalAttention(window, causal=True, exact_windowsize=True)
    return attend(query, key, value)


def _flex(block_mask: Callable[[], BlockMask]) -> Callable:
    attend = torch.compile(flex_attention)
    block_mask = cache(block_mask)
    return lambda query, key, value: attend(query, key, value, block_mask=block_mask())


def _of_window(window: int, length: int) -> Callable[[], BlockMask]:
    def make() -> BlockMask:
        count, most = -(-length // _BLOCK), -(-(window - 1) // _BLOCK) + 1
        blocks = torch.arange(count)[:, None] - torch.arange(most)
        return _block_mask(blocks, blocks >= 0, _BLOCK, lambda t, s: (s <= t) & (s > t - window))

    return make


def _of_lists(lists: Any, size: int) -> Callable[[], BlockMask]:
    return lambda: _block_mask(lists, lists < len(lists), size, lambda t, s: s <= t)


def _block_mask(blocks: Any, counts: Any, size: int, sees: Callable) -> BlockMask:
    """Returns the mask of one batch and head, made of lists: that of T x T would not fit."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    order = torch.sort(~counts, dim=1, stable=True).indices  # those that count first
    blocks = torch.where(counts, blocks, 0).gather(1, order).int()
    blocks = F.pad(blocks, (0, len(blocks) - blocks.shape[1]))
    return BlockMask.from_kv_blocks(
        counts.sum(1).int()[None, None].to(device),
        blocks[None, None].to(device),
        BLOCK_SIZE=size,
        mask_mod=lambda batch, head, t, s: sees(t, s),
    )


def _gathered(query: Any, key: Any, value: Any, *, lists: Any, size: int) -> Any:
    """All blocks at once, each with a copy of its keys."""
    batch, heads, _, width = query.shape
    count, most = lists.shape
    lists = lists.to(query.device)
    steps = torch.arange(size, device=query.device)
    s = (lists[:, :, None] * size + steps).flatten(1)  # (n, M * size)
    t = torch.arange(count, device=query.device)[:, None] * size + steps
    ids = lists.clamp(max=count - 1).flatten()
    q, k, v = (x.reshape(batch, heads, count, size, width) for x in (query, key, value))
    k, v = (x[:, :, ids].reshape(batch, heads, count, most * size, width) for x in (k, v))
    sees = s[:, None] <= t[:, :, None]
    q, k, v = (x.transpose(1, 2).flatten(0, 1) for x in (q, k, v))  # (B * n, N, size, H)
    y = F.scaled_dot_product_attention(q, k, v, sees.repeat(batch, 1, 1)[:, None])
    return y.unflatten(0, (batch, count)).transpose(1, 2).reshape(query.shape)


def _chunks(query: Any, key: Any, value: Any, *, size: int = 64) -> Any:
    """The quadratic form within chunks, and the sums of the chunks before."""
    query, key = F.elu(query) + 1, F.elu(key) + 1
    q, k, v = (x.unflatten(2, (-1, size)) for x in (query, key, value))  # (B, N, chunks, C, H)
    near = (q @ k.mT).tril()
    before = (k.mT @ v).cumsum(2).roll(1, 2)
    totals = k.sum(3).cumsum(2).roll(1, 2)
    before[:, :, 0], totals[:, :, 0] = 0, 0
    sums = near @ v + q @ before
    return (sums / (near.sum(-1, keepdim=True) + q @ totals[..., None])).flatten(2, 3)
