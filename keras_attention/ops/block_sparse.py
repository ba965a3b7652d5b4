"""Attention between some of the blocks of a sequence: near ones, leading ones and random ones.

Zaheer et al., 2020 (BigBird, https://arxiv.org/abs/2007.14062, section 2 and appendix D); without
random blocks the pattern of Beltagy et al., 2020 (Longformer, https://arxiv.org/abs/2004.05150,
section 3.1), by blocks. They are counted from the first element that a padding mask leaves, so
padding on either side changes nothing.
"""

from typing import NamedTuple

from keras import ops

from keras_attention import kernels
from keras_attention.ops import hashing, masks, tiled
from keras_attention.ops.attention import dot_product_attention

_TILE = 32  # elements of the least block that a loop over tiles is worth while for


class Pattern(NamedTuple):
    """Which blocks of keys a block of queries sees.

    Itself and `near` blocks to each side; the first `leading` blocks, which see all themselves;
    and `random` others, one from each of as many equal parts of the rest, drawn by a hash of
    `seed`, block and part. If causal, none after itself.
    """

    size: int  # elements of a block
    near: int
    leading: int
    random: int
    seed: int
    causal: bool

    def sees(self, t, s, count):
        """`(..., T, S)`: whether the elements at `t` `(..., T)` see those at `s` `(..., S)`.

        Args:
            t, s: positions, from 0 at the first element that counts.
            count: how many blocks there are, `()` or `(B, 1)`.
        """
        block, key_block = t // self.size, (s // self.size)[..., None, :]
        drawn, exists = self._drawn(block, count)  # (..., T, random)
        block = block[..., None]
        sees = ops.logical_and(key_block >= block - self.near, key_block <= block + self.near)
        sees = ops.logical_or(sees, ops.minimum(block, key_block) < self.leading)
        for i in range(self.random):
            one = ops.logical_and(key_block == drawn[..., i : i + 1], exists[..., i : i + 1])
            sees = ops.logical_or(sees, one)
        return ops.logical_and(sees, s[..., None, :] <= t[..., None]) if self.causal else sees

    def key_blocks(self, block, count):
        """The blocks of keys that `block` `(B, n)` sees, `(B, n, M)`, and which of them count.

        No block counts twice. What leading blocks see beyond the others is not among them.
        """
        drawn, drawn_counts = self._drawn(block, count)
        last = block[..., None] if self.causal else ops.cast(count, "int32")[..., None] - 1
        lead = ops.broadcast_to(ops.arange(self.leading), (*ops.shape(block), self.leading))
        width = self.near + 1 if self.causal else 2 * self.near + 1
        near = block[..., None] - self.near + ops.arange(width)
        near_counts = ops.logical_and(near >= self.leading, near <= last)
        blocks = [ops.cast(x, "int32") for x in (lead, near, drawn)]
        counts = [lead <= last, near_counts, drawn_counts]
        return ops.concatenate(blocks, axis=-1), ops.concatenate(counts, axis=-1)

    def _drawn(self, block, count):
        """The random blocks of `block` `(...)`, `(..., random)`, and whether each exists."""
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
    query, key, value, pattern: Pattern, *, mask=None, scale=None, dropout=0.0, seed=None
):
    """`(B, N, T, H)` on `(B, K, T, H)`, in time and memory linear in T.

    Args:
        pattern: who sees whom.
        mask: padding mask of the keys, `(B, T)`, or `None`.
        scale, dropout, seed: as in `ops.attention.dot_product_attention`.
    """
    settings = {"scale": scale, "dropout": dropout, "seed": seed}
    if mask is None:
        return _from_first(query, key, value, pattern, None, settings)
    start = masks.first_valid(mask)[:, None]
    steps = masks.positions(ops.shape(query)[2])[None]
    query, key, value = (_take(x, steps + start) for x in (query, key, value))
    present = _take(mask[:, None, :, None], steps + start)[:, 0, :, 0]
    present = ops.logical_and(present, steps + start < ops.shape(mask)[1])
    return _take(_from_first(query, key, value, pattern, present, settings), steps - start)


def block_count(pattern: Pattern, length, mask=None):
    """How many blocks a sequence has from its first to its last element: `()`, or `(B, 1)`."""
    if mask is not None:
        behind = masks.first_valid(ops.flip(mask, axis=1))
        length = (ops.shape(mask)[1] - behind - masks.first_valid(mask))[:, None]
        return ops.cast((length + pattern.size - 1) // pattern.size, "int32")
    return masks.count((length + pattern.size - 1) // pattern.size)


def _from_first(query, key, value, pattern, mask, settings):
    """`attention` of sequences that begin with their first element."""
    batch, _, length, _ = ops.shape(query)
    whole = (length + pattern.size - 1) // pattern.size
    block = ops.arange(whole, dtype="int32")[None]
    if mask is not None and not pattern.causal:  # then rows differ
        block = ops.broadcast_to(block, (batch, whole))
    found, counts = pattern.key_blocks(block, block_count(pattern, length, mask))
    attend = _by_tiles if _takes_tiles(query, key, pattern, settings) else _by_gathering
    y = attend(query, key, value, pattern, found, counts, mask, settings)
    if pattern.causal or not pattern.leading:
        return y
    rows = pattern.leading * pattern.size  # which see everything
    mask = None if mask is None else mask[:, None, None]
    dense = dot_product_attention(query[:, :, :rows], key, value, mask=mask, **settings)
    return ops.concatenate([dense, y[:, :, rows:]], axis=2)


def _takes_tiles(query, key, pattern, settings):
    """Whether blocks are large enough, and the backend such, that a loop over them is faster."""
    dropout = settings["dropout"] if settings["seed"] is not None else 0.0
    branch = kernels.attention_branch(query, key, window=None, dropout=dropout)
    return branch == "tiled" and kernels.block_size(_TILE) <= pattern.size <= query.shape[2]


def _by_tiles(query, key, value, pattern, found, counts, mask, settings):
    nothing = ops.shape(found)[1]
    scale, seed = settings["scale"], settings["seed"]
    return tiled.listed(
        query,
        key,
        value,
        ops.where(counts, found, nothing),
        tile=pattern.size,
        mask=None if mask is None else mask[:, None, None],
        causal=pattern.causal,
        scale=query.shape[3] ** -0.5 if scale is None else scale,
        dropout=0.0 if seed is None else settings["dropout"],
        seed=seed,
    )


def _by_gathering(query, key, value, pattern, found, counts, mask, settings):
    """All blocks at once, each with a copy of the keys and values that it sees."""
    batch, heads, length, size = ops.shape(query)
    whole = ops.shape(found)[1]
    room = [[0, 0], [0, 0], [0, whole * pattern.size - length], [0, 0]]
    q, k, v = (ops.pad(x, room) for x in (query, key, value))
    q = ops.reshape(q, (batch, heads, whole, pattern.size, size))
    q = ops.reshape(ops.transpose(q, (0, 2, 1, 3, 4)), (-1, heads, pattern.size, size))
    found = _inside(found, whole)
    sees = _seen(pattern, found, counts, length, mask)  # (B or 1, n, size or 1, M * size)
    sees = ops.broadcast_to(sees, (batch, *ops.shape(sees)[1:]))
    sees = ops.reshape(sees, (-1, 1, *sees.shape[2:]))
    k, v = (_gathered(x, found, pattern.size) for x in (k, v))
    y = dot_product_attention(q, k, v, mask=sees, **settings)  # (B * n, N, size, H)
    y = ops.transpose(ops.reshape(y, (batch, whole, heads, pattern.size, size)), (0, 2, 1, 3, 4))
    return ops.reshape(y, (batch, heads, whole * pattern.size, size))[:, :, :length]


def _seen(pattern, found, counts, length, mask):
    """Whether the elements of a block see those of its blocks of keys."""
    steps = ops.arange(pattern.size, dtype="int32")
    s = found[..., None] * pattern.size + steps  # (B or 1, n, M, size)
    if mask is None:
        sees = s < length
    else:
        whole = ops.shape(found)[1]
        room = [[0, 0], [0, whole * pattern.size - length]]
        sees = _gathered(ops.pad(mask, room)[:, None, :, None], found, pattern.size)
        sees = ops.reshape(sees, (-1, *ops.shape(s)[1:]))
    sees = ops.logical_and(sees, counts[..., None])
    s, sees = (ops.reshape(x, (-1, ops.shape(s)[1], 1, s.shape[2] * s.shape[3])) for x in (s, sees))
    if not pattern.causal:
        return sees
    t = ops.arange(ops.shape(s)[1], dtype="int32")[:, None] * pattern.size + steps  # (n, size)
    return ops.logical_and(sees, s <= t[:, :, None])


def _gathered(x, found, size):
    """The blocks that were `found` `(B or 1, n, M)`, of `x` `(B, K, T, H)`:
    `(B * n, K, M * size, H)`."""
    batch, heads, length, width = ops.shape(x)
    whole = length // size
    rows = ops.reshape(x, (-1, size * width))
    first = masks.positions(batch)[:, None] * heads + masks.positions(heads)  # (B, K)
    ids = ops.cast(first[:, None, :, None] * whole + found[:, :, None], kernels.INDEX_DTYPE)
    taken = kernels.take_rows(rows, ops.reshape(ids, (-1,)))
    return ops.reshape(taken, (-1, heads, found.shape[2] * size, width))


def _inside(indices, length):
    """`indices`, the nearest one below `length` in place of others."""
    if isinstance(length, int):
        return ops.clip(indices, 0, length - 1)
    return ops.minimum(ops.maximum(indices, 0), masks.count(length) - 1)


def _take(x, steps):
    """`x` `(B, N, T, H)` at the positions `steps` `(B, T)`, the nearest where there is none."""
    batch, heads, length, width = ops.shape(x)
    first = masks.positions(batch)[:, None] * heads + masks.positions(heads)  # (B, N)
    ids = first[:, :, None] * length + _inside(steps, length)[:, None]
    taken = kernels.take_rows(ops.reshape(x, (-1, width)), ops.reshape(ids, (-1,)))
    return ops.reshape(taken, (batch, heads, length, width))
