"""Attention by tiles of queries and keys, in memory linear in T and S.

FlashAttention-2 (Dao, 2023, https://arxiv.org/abs/2307.08691, algorithms 1 and 2), for XLA on
CPU: a running maximum and sum per query; backward, the weights again from the logarithm of that
sum. One head at a time, whose tiles stay in the processor's cache; tiles that the causal triangle,
the window or a list hides are not visited. It can be differentiated once, in reverse mode.
"""

from functools import lru_cache, reduce
from typing import NamedTuple

from keras import ops

from keras_attention import kernels
from keras_attention.ops.precision import at_least_float32
from keras_attention.ops.visibility import EVERYTHING, Band

# Queries and keys of a tile: 1 MiB of logits where a pass makes one tile of numbers, a quarter
# where it makes several, or where the triangle or a window leaves half of a tile unused.
_LARGE, _SMALL = 512, 256
_LOWEST = -1e30  # a logit of nothing; finite, since -inf - -inf is NaN


def attention(query, key, value, *, mask, bias, band, softmax):
    """`(B, N, T, H)` on `(B, K, S, H)`; see `ops.attention.dot_product_attention`.

    T and S must be known.
    """
    small = kernels.block_size(_SMALL)
    whole = band == EVERYTHING and not softmax.dropout  # dropout is drawn by tile
    plan = _plan(query, key, kernels.block_size(_LARGE) if whole else small, band, softmax)
    backward = plan._replace(rows=min(small, plan.rows), columns=min(small, plan.columns))
    return _run(plan, backward, query, key, value, mask=mask, bias=bias, seed=softmax.seed)


def listed(query, key, value, lists, *, tile, mask, causal, softmax):
    """`attention` on tiles of `tile` queries and keys, those of keys from lists.

    Args:
        lists: `(B or 1, tiles, M)` int32: the tiles of keys that each tile of queries sees, in any
            order; the number of tiles where there is none.
    """
    plan = _plan(query, key, tile, Band(causal), softmax)._replace(listed=lists.shape[2])
    return _run(plan, plan, query, key, value, mask=mask, lists=lists, seed=softmax.seed)


def _plan(query, key, tile, band, softmax):
    return Plan(
        length=query.shape[2],
        key_length=key.shape[2],
        heads=query.shape[1],
        kv_heads=key.shape[1],
        size=query.shape[3],
        rows=min(tile, query.shape[2]),
        columns=min(tile, key.shape[2]),
        causal=band.causal,
        window=band.window,
        scale=softmax.scale,
        dropout=softmax.dropout,
    )


def _run(plan, backward, query, key, value, *, seed, **tensors):
    tensors = {"query": query, "key": key, "value": value, **tensors}
    tensors["seed"] = seed.next() if plan.dropout else None
    tensors = {name: x for name, x in tensors.items() if x is not None}
    return _compiled(plan, backward, tuple(tensors))(*tensors.values())


class Plan(NamedTuple):
    """What is known before the values are."""

    length: int
    key_length: int
    heads: int
    kv_heads: int
    size: int
    rows: int  # queries of a tile
    columns: int  # keys of a tile
    causal: bool
    window: int | None
    scale: float
    dropout: float
    listed: int | None = None  # tiles in a list of those to visit

    @property
    def row_tiles(self):
        return -(-self.length // self.rows)

    @property
    def column_tiles(self):
        # A list ends on a tile of nothing.
        return -(-self.key_length // self.columns) + (self.listed is not None)

    @property
    def groups(self):
        return self.heads // self.kv_heads

    def visible(self, i):
        """The tiles of keys, from the first to before the last, that the queries `i` can see; or
        where they are in a list."""
        if self.listed is not None:
            return 0, self.listed
        first = i * self.rows
        last = first + self.rows - 1
        start, stop = 0, self.column_tiles
        if self.window is not None:
            start = ops.maximum(first - self.window + 1, 0) // self.columns
            stop = ops.minimum((last + self.window - 1) // self.columns + 1, stop)
        if self.causal:
            stop = ops.minimum(last // self.columns + 1, stop)
        return start, stop

    def sees(self, i, j, mask=None):
        """`(rows, columns)` of a tile, of its part of the mask too; `None` for all."""
        t = i * self.rows + ops.arange(self.rows, dtype="int32")[:, None]
        s = j * self.columns + ops.arange(self.columns, dtype="int32")[None, :]
        sees = [] if mask is None else [mask]
        if self.key_length % self.columns or self.listed is not None:
            sees.append(s < self.key_length)
        if self.causal:
            sees.append(s <= t)
        if self.window is not None:
            sees.append(ops.abs(t - s) < self.window)
        return reduce(ops.logical_and, sees) if sees else None


@lru_cache(maxsize=256)
def _compiled(forward_plan, backward_plan, names):
    """The function of the tensors that are named."""

    def forward(*tensors):
        tiles = _Tiles(forward_plan, **dict(zip(names, tensors, strict=True)))
        out, log_total = tiles.forward()
        return out, (*tensors, out, log_total)

    def backward(saved, d_out):
        *tensors, out, log_total = saved
        tiles = _Tiles(backward_plan, **dict(zip(names, tensors, strict=True)))
        gradients = tiles.backward(out, log_total, d_out)
        return tuple(gradients.get(name) for name in names)

    return kernels.compile(kernels.define_gradient(forward, backward))


class _Tiles:
    """Tiles (r, j): r counts the tiles of queries of all heads, j the tiles of a head's keys."""

    def __init__(self, plan, query, key, value, mask=None, bias=None, lists=None, seed=None):
        self.plan = plan
        self.batch = ops.shape(query)[0]
        self.q = self._flat(query, plan.heads, plan.rows * plan.row_tiles)
        self.k = self._flat(key, plan.kv_heads, plan.columns * plan.column_tiles)
        self.v = self._flat(value, plan.kv_heads, plan.columns * plan.column_tiles)
        self.mask, self.bias, self.seed = self._padded(mask), self._padded(bias), seed
        self.lists = lists

    def _flat(self, x, heads, length):
        """`(B, N, T, H)` as `(B * N, T, H)`, filled up to whole tiles."""
        return ops.reshape(_pad(x, 2, length), (self.batch * heads, length, x.shape[3]))

    def _unflat(self, x, heads, length):
        """The inverse of `_flat`."""
        return ops.reshape(x, (self.batch, heads, *x.shape[1:]))[:, :, :length]

    def _padded(self, x):
        """A mask or bias, filled up to whole tiles where it does not broadcast."""
        plan = self.plan
        if x is None:
            return None
        return _pad(_pad(x, 2, plan.rows * plan.row_tiles), 3, plan.columns * plan.column_tiles)

    def forward(self):
        """The output, and the logarithm of each query's sum of exponentials, `(B, N, T, 1)`."""
        plan = self.plan

        def of_queries(r, carry):
            out, log_total = carry
            i = r % plan.row_tiles
            q = self._queries(self.q, r) * plan.scale

            def add_keys(j, carry):
                y, total, top = carry
                j = self._at_list(r, j)
                logits, sees, keep = self._logits(q, r, j)
                new_top = ops.maximum(top, ops.max(logits, axis=-1, keepdims=True))
                exp = _zero_unseen(ops.exp(logits - new_top), sees)
                shrink = ops.exp(top - new_top)
                total = total * shrink + ops.sum(exp, axis=-1, keepdims=True)
                y = y * shrink + ops.matmul(_times(exp, keep), self._keys(self.v, r, j))
                return y, total, new_top

            nothing = ops.zeros((plan.rows, 1), q.dtype)
            y, total, top = ops.fori_loop(
                *plan.visible(i), add_keys, (ops.zeros_like(q), nothing, nothing + _LOWEST)
            )
            total = ops.maximum(total, 1e-30)  # zero where a query sees nothing
            out = ops.slice_update(out, self._at(r), ops.cast(y / total, out.dtype)[None])
            log_total = ops.slice_update(log_total, self._at(r), (top + ops.log(total))[None])
            return out, log_total

        sums = ops.zeros_like(at_least_float32(self.q[..., :1]))
        totals = ops.fori_loop(0, self._rounds(), of_queries, (ops.zeros_like(self.q), sums))
        return tuple(self._unflat(x, plan.heads, plan.length) for x in totals)

    def backward(self, out, log_total, d_out):
        """Gradients by query, key, value and bias."""
        plan = self.plan
        length = plan.rows * plan.row_tiles
        out, log_total, d_out = (self._flat(x, plan.heads, length) for x in (out, log_total, d_out))
        d_bias = () if self.bias is None else (ops.zeros_like(at_least_float32(self.bias)),)

        def of_queries(r, carry):
            d_q, *carry = carry
            i = r % plan.row_tiles
            q = self._queries(self.q, r) * plan.scale
            d_y, sums = self._queries(d_out, r), self._queries(log_total, r)
            delta = ops.sum(d_y * self._queries(out, r), axis=-1, keepdims=True)

            def add_keys(j, carry):
                d_q, d_k, d_v, *d_bias = carry
                j = self._at_list(r, j)
                logits, sees, keep = self._logits(q, r, j)
                weights = _zero_unseen(ops.exp(logits - sums), sees)
                d_used = ops.matmul(d_y, ops.transpose(self._keys(self.v, r, j)))
                d_logits = weights * (_times(d_used, keep) - delta)
                d_k = self._add_keys(d_k, r, j, ops.matmul(ops.transpose(d_logits), q))
                used = _times(weights, keep)
                d_v = self._add_keys(d_v, r, j, ops.matmul(ops.transpose(used), d_y))
                d_bias = [self._add_tile(x, r, j, d_logits) for x in d_bias]
                return (d_q + ops.matmul(d_logits, self._keys(self.k, r, j)), d_k, d_v, *d_bias)

            d_rows, *carry = ops.fori_loop(*plan.visible(i), add_keys, (ops.zeros_like(q), *carry))
            d_rows = ops.cast(d_rows * plan.scale, d_q.dtype)
            return (ops.slice_update(d_q, self._at(r), d_rows[None]), *carry)

        d_k, d_v = (ops.zeros_like(at_least_float32(x)) for x in (self.k, self.v))
        d_q, d_k, d_v, *d_bias = ops.fori_loop(
            0, self._rounds(), of_queries, (ops.zeros_like(self.q), d_k, d_v, *d_bias)
        )
        gradients = {
            "query": self._unflat(d_q, plan.heads, plan.length),
            "key": ops.cast(self._unflat(d_k, plan.kv_heads, plan.key_length), self.k.dtype),
            "value": ops.cast(self._unflat(d_v, plan.kv_heads, plan.key_length), self.v.dtype),
        }
        for x in d_bias:
            x = x if x.shape[2] == 1 else x[:, :, : plan.length]
            x = x if x.shape[3] == 1 else x[..., : plan.key_length]
            gradients["bias"] = ops.cast(x, self.bias.dtype)
        return gradients

    def _rounds(self):
        return self.batch * self.plan.heads * self.plan.row_tiles

    def _logits(self, q, r, j):
        """Logits `(rows, columns)` of a tile, which of them count, and dropout's factors."""
        plan = self.plan
        logits = ops.matmul(q, ops.transpose(self._keys(self.k, r, j)))
        if self.bias is not None:
            logits = logits + ops.cast(self._tile(self.bias, r, j), logits.dtype)
        mask = None if self.mask is None else self._tile(self.mask, r, j)
        sees = plan.sees(r % plan.row_tiles, j, mask)
        if sees is not None:
            logits = ops.where(sees, logits, ops.cast(_LOWEST, logits.dtype))
        if not plan.dropout:
            return logits, sees, None
        index, shape = r * plan.column_tiles + j, (plan.rows, plan.columns)
        keep = kernels.dropout_factors(self.seed, index, shape, plan.dropout)
        return logits, sees, ops.cast(keep, logits.dtype)

    def _at_list(self, r, j):
        """The tile of keys at `j` of the list of the queries `r`; `j` itself without lists."""
        if self.lists is None:
            return j
        plan, rows = self.plan, self.lists.shape[0]
        of_batch = 0 if rows == 1 else r // plan.row_tiles // plan.heads
        place = (of_batch, r % plan.row_tiles, j)
        return ops.reshape(ops.slice(self.lists, place, (1, 1, 1)), ())

    def _at(self, r):
        """Where the queries of a tile begin in `(B * N, T, H)`."""
        return r // self.plan.row_tiles, r % self.plan.row_tiles * self.plan.rows, 0

    def _queries(self, x, r):
        x = ops.slice(x, self._at(r), (1, self.plan.rows, x.shape[2]))
        return at_least_float32(x[0])

    def _keys(self, x, r, j):
        """`(columns, H)`, of the head that the queries `r` attend to."""
        x = ops.slice(x, self._at_keys(r, j), (1, self.plan.columns, self.plan.size))
        return at_least_float32(x[0])

    def _at_keys(self, r, j):
        # Head n of N attends to key head n // groups of K, and B * N heads likewise.
        return r // self.plan.row_tiles // self.plan.groups, j * self.plan.columns, 0

    def _add_keys(self, x, r, j, rows):
        return ops.slice_update(x, self._at_keys(r, j), (self._keys(x, r, j) + rows)[None])

    def _tile(self, x, r, j):
        """The part of a mask or bias, broadcastable to `(rows, columns)`."""
        return ops.slice(x, *self._corner(x, r, j))[0, 0]

    def _add_tile(self, x, r, j, tile):
        """Adds to that part, summed over what it broadcasts."""
        start, sizes = self._corner(x, r, j)
        for axis in (0, 1):
            if sizes[2 + axis] == 1:
                tile = ops.sum(tile, axis=axis, keepdims=True)
        return ops.slice_update(x, start, ops.slice(x, start, sizes) + tile[None, None])

    def _corner(self, x, r, j):
        """Start and sizes of a tile in `x`, broadcastable to `(B, N, T, S)`."""
        plan = self.plan
        head, i = r // plan.row_tiles, r % plan.row_tiles
        start = (head // plan.heads, head % plan.heads, i * plan.rows, j * plan.columns)
        sizes = (1, 1, plan.rows, plan.columns)
        broadcasts = [size == 1 for size in x.shape]
        start = [0 if one else at for one, at in zip(broadcasts, start, strict=True)]
        return start, [1 if one else size for one, size in zip(broadcasts, sizes, strict=True)]


def _pad(x, axis, size):
    """`x` filled up to `size` along `axis`, unless it broadcasts there."""
    if x.shape[axis] in (1, size):
        return x
    return ops.pad(x, [[0, size - n if a == axis else 0] for a, n in enumerate(x.shape)])


def _zero_unseen(x, sees):
    return x if sees is None else ops.where(sees, x, 0.0)


def _times(x, keep):
    return x if keep is None else x * keep
