"""Attention between some of the blocks of a sequence: near ones, leading ones and random ones.

Zaheer et al., 2020 (BigBird, https://arxiv.org/abs/2007.14062, section 2 and appendix D); without
random blocks the pattern of Beltagy et al., 2020 (Longformer, https://arxiv.org/abs/2004.05150,
section 3.1), by blocks. They are counted from the first element that a padding mask leaves, so
padding on either side changes nothing.
"""

from collections.abc import Callable
from typing import NamedTuple

from keras import ops

from keras_attention import kernels
from keras_attention.ops import hashing, masks, tiled
from keras_attention.ops.attention import dot_product_attention
from keras_attention.ops.softmax import PLAIN, Softmax
from keras_attention.ops.visibility import Span
from keras_attention.types import Bool, Float, Int, Shaped, Tensor

_TILE = 32  # elements of the least block that a loop over tiles is worth while for


class Pattern(NamedTuple):
    """The blocks of keys that a block of queries sees.

    It sees itself and `near` blocks to each side; the first `leading` blocks, which see all
    themselves; and `random` others, one from each of as many equal parts of the rest, drawn by a
    hash of `seed`, block and part. If causal, none after itself.
    """

    size: int  # elements of a block
    near: int
    leading: int
    random: int
    seed: int
    causal: bool

    def order(
        self, queries: Span, keys: Span, key_mask: Bool[Tensor, "B S"] | None = None
    ) -> Bool[Tensor, "B 1 T S"]:
        """Returns `sees` of the elements at the spans of queries and keys.

        They are counted from the first that is not masked.
        """
        t, s = queries.positions(), keys.positions()
        count = block_count(self, ops.shape(s)[0], key_mask)
        if key_mask is None:
            return self.sees(t, s, count)[None, None]
        start = masks.first_valid(key_mask)[:, None]
        return self.sees(t - start, s - start, count)[:, None]

    def sees(
        self, t: Int[Tensor, "... T"], s: Int[Tensor, "... S"], count: Int[Tensor, "..."]
    ) -> Bool[Tensor, "... T S"]:
        """Returns whether the elements at `t` see those at `s`.

        Args:
            t, s: positions, from 0 at the first element that counts.
            count: how many blocks there are, `()` or `(B, 1)`.
        """
        block, key_block = t // self.size, (s // self.size)[..., None, :]
        drawn, exists = self._draw(block, count)  # (..., T, random)
        block = block[..., None]
        sees = ops.logical_and(key_block >= block - self.near, key_block <= block + self.near)
        sees = ops.logical_or(sees, ops.minimum(block, key_block) < self.leading)
        for i in range(self.random):
            one = ops.logical_and(key_block == drawn[..., i : i + 1], exists[..., i : i + 1])
            sees = ops.logical_or(sees, one)
        return ops.logical_and(sees, s[..., None, :] <= t[..., None]) if self.causal else sees

    def key_blocks(
        self, block: Int[Tensor, "B n"], count: Int[Tensor, "..."]
    ) -> tuple[Int[Tensor, "B n M"], Bool[Tensor, "B n M"]]:
        """Returns the blocks of keys that `block` sees, and which of them count.

        No block counts twice. What leading blocks see beyond the others is not among them.
        """
        drawn, drawn_counts = self._draw(block, count)
        last = block[..., None] if self.causal else ops.cast(count, "int32")[..., None] - 1
        lead = ops.broadcast_to(ops.arange(self.leading), (*ops.shape(block), self.leading))
        width = self.near + 1 if self.causal else 2 * self.near + 1
        near = block[..., None] - self.near + ops.arange(width)
        near_counts = ops.logical_and(near >= self.leading, near <= last)
        blocks = [ops.cast(x, "int32") for x in (lead, near, drawn)]
        counts = [lead <= last, near_counts, drawn_counts]
        return ops.concatenate(blocks, axis=-1), ops.concatenate(counts, axis=-1)

    def _draw(
        self, block: Int[Tensor, "..."], count: Int[Tensor, "..."]
    ) -> tuple[Int[Tensor, "... random"], Bool[Tensor, "... random"]]:
        """Returns the random blocks of `block`, and whether each exists."""
        i, part = block[..., None], ops.arange(self.random, dtype="int32")
        start = ops.maximum(i - self.near, self.leading)  # of what is near
        stop = ops.maximum(i + self.near + 1, self.leading)
        before = rest = start - self.leading
        if not self.causal:
            rest = before + ops.maximum(ops.cast(count, "int32")[..., None] - stop, 0)
        first, end = (rest * bound // max(self.random, 1) for bound in (part, part + 1))
        bits = hashing.bits(self.seed, ops.maximum(i, 0), part)
        rank = first + bits % ops.maximum(end - first, 1)
        return self.leading + rank + ops.where(rank < before, 0, stop - start), first < end


def attention(
    query: Float[Tensor, "B N T H"],
    key: Float[Tensor, "B K T H"],
    value: Float[Tensor, "B K T H"],
    pattern: Pattern,
    *,
    mask: Bool[Tensor, "B T"] | None = None,
    softmax: Softmax = PLAIN,
) -> Float[Tensor, "B N T H"]:
    """Returns attention in time and memory linear in T.

    Args:
        pattern: who sees whom.
        mask: padding mask of the keys.
        softmax: the scale and the dropout.
    """
    softmax = softmax.of(query)
    if mask is None:
        return _from_first(query, key, value, pattern, None, softmax)
    start = masks.first_valid(mask)[:, None]
    steps = masks.positions(ops.shape(query)[2])[None]
    query, key, value = (_take(x, steps + start) for x in (query, key, value))
    present = _take(mask[:, None, :, None], steps + start)[:, 0, :, 0]
    present = ops.logical_and(present, steps + start < ops.shape(mask)[1])
    return _take(_from_first(query, key, value, pattern, present, softmax), steps - start)


def block_count(
    pattern: Pattern, length: int | Int[Tensor, ""], mask: Bool[Tensor, "B T"] | None = None
) -> Int[Tensor, "..."]:
    """Returns how many blocks a sequence has from its first to its last element.

    The shape is `()`, or `(B, 1)` with a mask.
    """
    if mask is not None:
        behind = masks.first_valid(ops.flip(mask, axis=1))
        length = (ops.shape(mask)[1] - behind - masks.first_valid(mask))[:, None]
        return ops.cast((length + pattern.size - 1) // pattern.size, "int32")
    return masks.count((length + pattern.size - 1) // pattern.size)


def _from_first(
    query: Float[Tensor, "B N T H"],
    key: Float[Tensor, "B K T H"],
    value: Float[Tensor, "B K T H"],
    pattern: Pattern,
    mask: Bool[Tensor, "B T"] | None,
    softmax: Softmax,
) -> Float[Tensor, "B N T H"]:
    """Returns `attention` of sequences that begin with their first element."""
    batch, _, length, _ = ops.shape(query)
    whole = (length + pattern.size - 1) // pattern.size
    block = ops.arange(whole, dtype="int32")[None]
    if mask is not None and not pattern.causal:  # then rows differ
        block = ops.broadcast_to(block, (batch, whole))
    key_blocks, counts = pattern.key_blocks(block, block_count(pattern, length, mask))
    attend = _choose(query, key, pattern, softmax)
    y = attend(query, key, value, pattern, key_blocks, counts, mask, softmax)
    if pattern.causal or not pattern.leading:
        return y
    rows = pattern.leading * pattern.size  # which see everything
    mask = None if mask is None else mask[:, None, None]
    dense = dot_product_attention(query[:, :, :rows], key, value, mask=mask, softmax=softmax)
    return ops.concatenate([dense, y[:, :, rows:]], axis=2)


def _choose(
    query: Float[Tensor, "B N T H"],
    key: Float[Tensor, "B K T H"],
    pattern: Pattern,
    softmax: Softmax,
) -> Callable[..., Tensor]:
    """Returns the fastest way, by the branch, the size of blocks and the backend."""
    branch = kernels.attention_branch(query, key, window=None, dropout=softmax.dropout)
    if branch == "tiled":
        fits = kernels.block_size(_TILE) <= pattern.size <= query.shape[2]
        return _by_tiles if fits else _by_gathering
    one_by_one = kernels.BACKEND == "torch" and branch != "explicit" and kernels.is_concrete(query)
    return _by_lists if one_by_one else _by_gathering


def _by_tiles(
    query: Float[Tensor, "B N T H"],
    key: Float[Tensor, "B K T H"],
    value: Float[Tensor, "B K T H"],
    pattern: Pattern,
    key_blocks: Int[Tensor, "B n M"],
    counts: Bool[Tensor, "B n M"],
    mask: Bool[Tensor, "B T"] | None,
    softmax: Softmax,
) -> Float[Tensor, "B N T H"]:
    nothing = ops.shape(key_blocks)[1]
    return tiled.listed(
        query,
        key,
        value,
        ops.where(counts, key_blocks, nothing),
        tile=pattern.size,
        mask=None if mask is None else mask[:, None, None],
        causal=pattern.causal,
        softmax=softmax,
    )


def _by_lists(
    query: Float[Tensor, "B N T H"],
    key: Float[Tensor, "B K T H"],
    value: Float[Tensor, "B K T H"],
    pattern: Pattern,
    key_blocks: Int[Tensor, "B n M"],
    counts: Bool[Tensor, "B n M"],
    mask: Bool[Tensor, "B T"] | None,
    softmax: Softmax,
) -> Float[Tensor, "B N T H"]:
    return kernels.listed_attention(
        query,
        key,
        value,
        ops.where(counts, key_blocks, ops.shape(key_blocks)[1]),
        size=pattern.size,
        mask=mask,
        causal=pattern.causal,
        scale=softmax.scale,
        dropout=softmax.dropout,
        seed=softmax.seed,
    )


def _by_gathering(
    query: Float[Tensor, "B N T H"],
    key: Float[Tensor, "B K T H"],
    value: Float[Tensor, "B K T H"],
    pattern: Pattern,
    key_blocks: Int[Tensor, "B n M"],
    counts: Bool[Tensor, "B n M"],
    mask: Bool[Tensor, "B T"] | None,
    softmax: Softmax,
) -> Float[Tensor, "B N T H"]:
    """Returns attention of all blocks at once, each with a copy of the keys it sees."""
    batch, heads, length, size = ops.shape(query)
    whole = ops.shape(key_blocks)[1]
    room = [[0, 0], [0, 0], [0, whole * pattern.size - length], [0, 0]]
    q, k, v = (ops.pad(x, room) for x in (query, key, value))
    q = ops.reshape(q, (batch, heads, whole, pattern.size, size))
    q = ops.reshape(ops.transpose(q, (0, 2, 1, 3, 4)), (-1, heads, pattern.size, size))
    key_blocks = _inside(key_blocks, whole)
    sees = _seen(pattern, key_blocks, counts, length, mask)  # (B or 1, n, size or 1, M * size)
    sees = ops.broadcast_to(sees, (batch, *ops.shape(sees)[1:]))
    sees = ops.reshape(sees, (-1, 1, *sees.shape[2:]))
    k, v = (_gather(x, key_blocks, pattern.size) for x in (k, v))
    y = dot_product_attention(q, k, v, mask=sees, softmax=softmax)  # (B * n, N, size, H)
    y = ops.transpose(ops.reshape(y, (batch, whole, heads, pattern.size, size)), (0, 2, 1, 3, 4))
    return ops.reshape(y, (batch, heads, whole * pattern.size, size))[:, :, :length]


def _seen(
    pattern: Pattern,
    key_blocks: Int[Tensor, "B n M"],
    counts: Bool[Tensor, "B n M"],
    length: int | Int[Tensor, ""],
    mask: Bool[Tensor, "B T"] | None,
) -> Bool[Tensor, "B n size M*size"]:
    """Returns whether the elements of a block see those of its blocks of keys."""
    steps = ops.arange(pattern.size, dtype="int32")
    s = key_blocks[..., None] * pattern.size + steps  # (B or 1, n, M, size)
    if mask is None:
        sees = s < length
    else:
        whole = ops.shape(key_blocks)[1]
        room = [[0, 0], [0, whole * pattern.size - length]]
        sees = _gather(ops.pad(mask, room)[:, None, :, None], key_blocks, pattern.size)
        sees = ops.reshape(sees, (-1, *ops.shape(s)[1:]))
    sees = ops.logical_and(sees, counts[..., None])
    s, sees = (ops.reshape(x, (-1, ops.shape(s)[1], 1, s.shape[2] * s.shape[3])) for x in (s, sees))
    if not pattern.causal:
        return sees
    t = ops.arange(ops.shape(s)[1], dtype="int32")[:, None] * pattern.size + steps  # (n, size)
    return ops.logical_and(sees, s <= t[:, :, None])


def _gather(
    x: Shaped[Tensor, "B K T H"], key_blocks: Int[Tensor, "B n M"], size: int
) -> Shaped[Tensor, "B*n K M*size H"]:
    """Returns the blocks of `x` with the indices `key_blocks`, for each row or for all."""
    batch, heads, length, width = ops.shape(x)
    whole = length // size
    rows = ops.reshape(x, (-1, size * width))
    first = masks.positions(batch)[:, None] * heads + masks.positions(heads)  # (B, K)
    ids = ops.cast(first[:, None, :, None] * whole + key_blocks[:, :, None], kernels.INDEX_DTYPE)
    taken = kernels.take_rows(rows, ops.reshape(ids, (-1,)))
    return ops.reshape(taken, (-1, heads, key_blocks.shape[2] * size, width))


def _inside(indices: Int[Tensor, "..."], length: int | Int[Tensor, ""]) -> Int[Tensor, "..."]:
    """Returns `indices`, the nearest one below `length` in place of others."""
    if isinstance(length, int):
        return ops.clip(indices, 0, length - 1)
    return ops.minimum(ops.maximum(indices, 0), masks.count(length) - 1)


def _take(x: Shaped[Tensor, "B N T H"], steps: Int[Tensor, "B T"]) -> Shaped[Tensor, "B N T H"]:
    """Returns `x` at the positions `steps`, the nearest where there is none."""
    batch, heads, length, width = ops.shape(x)
    first = masks.positions(batch)[:, None] * heads + masks.positions(heads)  # (B, N)
    ids = first[:, :, None] * length + _inside(steps, length)[:, None]
    taken = kernels.take_rows(ops.reshape(x, (-1, width)), ops.reshape(ids, (-1,)))
    return ops.reshape(taken, (batch, heads, length, width))
