"""Attention by tiles of queries and keys, in memory linear in T and S.

FlashAttention-2 (Dao, 2023, https://arxiv.org/abs/2307.08691, algorithms 1 and 2), for XLA on
CPU: a running maximum and sum per query; backward, the weights again from the logarithm of that
sum. One head at a time, whose tiles stay in the processor's cache; tiles that the causal triangle,
the window or a list hides are not visited. It can be differentiated once, in reverse mode.
"""

from collections.abc import Callable
from functools import lru_cache, reduce
from typing import Any, NamedTuple

import keras
from keras import ops

from keras_attention import kernels
from keras_attention.ops.precision import at_least_float32
from keras_attention.ops.softmax import Softmax
from keras_attention.ops.visibility import EVERYTHING, Band
from keras_attention.types import Bool, Float, Int, Shaped, Tensor

# Queries and keys of a tile: 1 MiB of logits where a pass makes one tile of numbers, a quarter
# where it makes several, or where the triangle or a window leaves half of a tile unused.
_LARGE, _SMALL = 512, 256
_LOWEST = -1e30  # a logit of nothing; finite, since -inf - -inf is NaN


def attention(
    query: Float[Tensor, "B N T H"],
    key: Float[Tensor, "B K S H"],
    value: Float[Tensor, "B K S H"],
    *,
    mask: Bool[Tensor, "B N T S"] | None,
    bias: Float[Tensor, "B N T S"] | None,
    band: Band,
    softmax: Softmax,
) -> Float[Tensor, "B N T H"]:
    """Returns attention by tiles; see `ops.attention.dot_product_attention`.

    T and S must be known.
    """
    small = kernels.block_size(_SMALL)
    whole = band == EVERYTHING and not softmax.dropout  # dropout is drawn by tile
    plan = _plan(query, key, kernels.block_size(_LARGE) if whole else small, band, softmax)
    backward = plan._replace(rows=min(small, plan.rows), columns=min(small, plan.columns))
    return _run(plan, backward, query, key, value, mask=mask, bias=bias, seed=softmax.seed)


def listed(
    query: Float[Tensor, "B N T H"],
    key: Float[Tensor, "B K S H"],
    value: Float[Tensor, "B K S H"],
    lists: Int[Tensor, "B tiles M"],
    *,
    tile: int,
    mask: Bool[Tensor, "B N T S"] | None,
    causal: bool,
    softmax: Softmax,
) -> Float[Tensor, "B N T H"]:
    """Returns `attention` on tiles of `tile` queries and keys, those of keys from lists.

    Args:
        lists: of each row or of all, the tiles of keys that each tile of queries sees, in any
            order; the number of tiles where there is none.
    """
    plan = _plan(query, key, tile, Band(causal), softmax)._replace(listed=lists.shape[2])
    return _run(plan, plan, query, key, value, mask=mask, lists=lists, seed=softmax.seed)


def _plan(
    query: Float[Tensor, "B N T H"],
    key: Float[Tensor, "B K S H"],
    tile: int,
    band: Band,
    softmax: Softmax,
) -> "Plan":
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


def _run(
    plan: "Plan",
    backward: "Plan",
    query: Tensor,
    key: Tensor,
    value: Tensor,
    *,
    seed: keras.random.SeedGenerator | None,
    **tensors: Tensor | None,
) -> Float[Tensor, "B N T H"]:
    tensors = {"query": query, "key": key, "value": value, **tensors}
    tensors["seed"] = seed.next() if seed is not None and plan.dropout else None
    tensors = {name: x for name, x in tensors.items() if x is not None}
    return _compiled(plan, backward, tuple(tensors))(*tensors.values())


class Plan(NamedTuple):
    """Sizes and settings of an attention by tiles, known before the values are."""

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
    def row_tiles(self) -> int:
        return -(-self.length // self.rows)

    @property
    def column_tiles(self) -> int:
        # A list ends on a tile of nothing.
        return -(-self.key_length // self.columns) + (self.listed is not None)

    @property
    def groups(self) -> int:
        return self.heads // self.kv_heads

    def visible(self, i: Int[Tensor, ""]) -> tuple[int | Int[Tensor, ""], int | Int[Tensor, ""]]:
        """Returns the first tile of keys that the queries `i` can see, and the one after the last.

        Or where they are in a list.
        """
        if self.listed is not None:
            return 0, self.listed
        first = i * self.rows
        last = first + self.rows - 1
        start: int | Int[Tensor, ""] = 0
        stop: int | Int[Tensor, ""] = self.column_tiles
        if self.window is not None:
            start = ops.maximum(first - self.window + 1, 0) // self.columns
            stop = ops.minimum((last + self.window - 1) // self.columns + 1, stop)
        if self.causal:
            stop = ops.minimum(last // self.columns + 1, stop)
        return start, stop

    def sees(
        self,
        i: Int[Tensor, ""],
        j: Int[Tensor, ""],
        mask: Bool[Tensor, "rows columns"] | None = None,
    ) -> Bool[Tensor, "rows columns"] | None:
        """Returns who sees whom in a tile, by its part of the mask too; `None` for all."""
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
def _compiled(forward_plan: Plan, backward_plan: Plan, names: tuple[str, ...]) -> Callable:
    """Returns the function of the tensors that are named."""

    def forward(*tensors: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        tiles = _Tiles(forward_plan, **dict(zip(names, tensors, strict=True)))
        out, log_total = tiles.forward()
        return out, (*tensors, out, log_total)

    def backward(saved: tuple[Tensor, ...], d_out: Tensor) -> tuple[Tensor | None, ...]:
        *tensors, out, log_total = saved
        tiles = _Tiles(backward_plan, **dict(zip(names, tensors, strict=True)))
        gradients = tiles.backward(out, log_total, d_out)
        return tuple(gradients.get(name) for name in names)

    return kernels.compile(kernels.define_gradient(forward, backward))


class _Tiles:
    """Tiles (r, j): r counts the tiles of queries of all heads, j the tiles of a head's keys."""

    def __init__(
        self,
        plan: Plan,
        query: Float[Tensor, "B N T H"],
        key: Float[Tensor, "B K S H"],
        value: Float[Tensor, "B K S H"],
        mask: Bool[Tensor, "B N T S"] | None = None,
        bias: Float[Tensor, "B N T S"] | None = None,
        lists: Int[Tensor, "B tiles M"] | None = None,
        seed: Int[Tensor, "2"] | None = None,
    ) -> None:
        self.plan = plan
        self.batch = ops.shape(query)[0]
        self.q = self._flat(query, plan.heads, plan.rows * plan.row_tiles)
        self.k = self._flat(key, plan.kv_heads, plan.columns * plan.column_tiles)
        self.v = self._flat(value, plan.kv_heads, plan.columns * plan.column_tiles)
        self.mask, self.bias, self.seed = self._padded(mask), self._padded(bias), seed
        self.lists = lists

    def _flat(
        self, x: Float[Tensor, "B N T H"], heads: int, length: int
    ) -> Float[Tensor, "B*N T H"]:
        """Returns all heads in one axis, filled up to whole tiles."""
        return ops.reshape(_pad(x, 2, length), (self.batch * heads, length, x.shape[3]))

    def _unflat(
        self, x: Float[Tensor, "B*N T H"], heads: int, length: int
    ) -> Float[Tensor, "B N T H"]:
        """Returns the inverse of `_flat`."""
        return ops.reshape(x, (self.batch, heads, *x.shape[1:]))[:, :, :length]

    def _padded(self, x: Shaped[Tensor, "B N T S"] | None) -> Shaped[Tensor, "B N T S"] | None:
        """Returns a mask or bias, filled up to whole tiles where it does not broadcast."""
        plan = self.plan
        if x is None:
            return None
        return _pad(_pad(x, 2, plan.rows * plan.row_tiles), 3, plan.columns * plan.column_tiles)

    def forward(self) -> tuple[Float[Tensor, "B N T H"], Float[Tensor, "B N T 1"]]:
        """Returns the output, and the logarithm of each query's sum of exponentials."""
        plan = self.plan

        def add_queries(r: Tensor, carry: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
            out, log_total = carry
            i = r % plan.row_tiles
            q = self._queries(self.q, r) * plan.scale

            def add_keys(j: Tensor, carry: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
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
        totals = ops.fori_loop(0, self._rounds(), add_queries, (ops.zeros_like(self.q), sums))
        return tuple(self._unflat(x, plan.heads, plan.length) for x in totals)

    def backward(
        self,
        out: Float[Tensor, "B N T H"],
        log_total: Float[Tensor, "B N T 1"],
        d_out: Float[Tensor, "B N T H"],
    ) -> dict[str, Tensor]:
        """Returns gradients by query, key, value and bias."""
        plan = self.plan
        length = plan.rows * plan.row_tiles
        out, log_total, d_out = (self._flat(x, plan.heads, length) for x in (out, log_total, d_out))
        d_bias = () if self.bias is None else (ops.zeros_like(at_least_float32(self.bias)),)

        def add_queries(r: Tensor, carry: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
            d_q, *sums_by_key = carry
            i = r % plan.row_tiles
            q = self._queries(self.q, r) * plan.scale
            d_y, sums = self._queries(d_out, r), self._queries(log_total, r)
            delta = ops.sum(d_y * self._queries(out, r), axis=-1, keepdims=True)

            def add_keys(j: Tensor, carry: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
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

            d_rows, *sums_by_key = ops.fori_loop(
                *plan.visible(i), add_keys, (ops.zeros_like(q), *sums_by_key)
            )
            d_rows = ops.cast(d_rows * plan.scale, d_q.dtype)
            return (ops.slice_update(d_q, self._at(r), d_rows[None]), *sums_by_key)

        d_k, d_v = (ops.zeros_like(at_least_float32(x)) for x in (self.k, self.v))
        d_q, d_k, d_v, *d_bias = ops.fori_loop(
            0, self._rounds(), add_queries, (ops.zeros_like(self.q), d_k, d_v, *d_bias)
        )
        gradients = {
            "query": self._unflat(d_q, plan.heads, plan.length),
            "key": ops.cast(self._unflat(d_k, plan.kv_heads, plan.key_length), self.k.dtype),
            "value": ops.cast(self._unflat(d_v, plan.kv_heads, plan.key_length), self.v.dtype),
        }
        if self.bias is not None:
            (x,) = d_bias
            x = x if x.shape[2] == 1 else x[:, :, : plan.length]
            x = x if x.shape[3] == 1 else x[..., : plan.key_length]
            gradients["bias"] = ops.cast(x, self.bias.dtype)
        return gradients

    def _rounds(self) -> int | Int[Tensor, ""]:
        return self.batch * self.plan.heads * self.plan.row_tiles

    def _logits(
        self, q: Float[Tensor, "rows H"], r: Int[Tensor, ""], j: Int[Tensor, ""]
    ) -> tuple[
        Float[Tensor, "rows columns"],
        Bool[Tensor, "rows columns"] | None,
        Float[Tensor, "rows columns"] | None,
    ]:
        """Returns the logits of a tile, which of them count, and dropout's factors."""
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

    def _at_list(self, r: Int[Tensor, ""], j: Int[Tensor, ""]) -> Int[Tensor, ""]:
        """Returns the tile of keys at `j` of the list of the queries `r`; without lists `j`."""
        if self.lists is None:
            return j
        plan, rows = self.plan, self.lists.shape[0]
        of_batch = 0 if rows == 1 else r // plan.row_tiles // plan.heads
        place = (of_batch, r % plan.row_tiles, j)
        return ops.reshape(ops.slice(self.lists, place, (1, 1, 1)), ())

    def _at(self, r: Int[Tensor, ""]) -> tuple[Int[Tensor, ""], Int[Tensor, ""], int]:
        """Returns where the queries of a tile begin in `(B * N, T, H)`."""
        return r // self.plan.row_tiles, r % self.plan.row_tiles * self.plan.rows, 0

    def _queries(self, x: Float[Tensor, "B*N T H"], r: Int[Tensor, ""]) -> Float[Tensor, "rows H"]:
        x = ops.slice(x, self._at(r), (1, self.plan.rows, x.shape[2]))
        return at_least_float32(x[0])

    def _keys(
        self, x: Float[Tensor, "B*K S H"], r: Int[Tensor, ""], j: Int[Tensor, ""]
    ) -> Float[Tensor, "columns H"]:
        """Returns a tile of the head that the queries `r` attend to."""
        x = ops.slice(x, self._at_keys(r, j), (1, self.plan.columns, self.plan.size))
        return at_least_float32(x[0])

    def _at_keys(
        self, r: Int[Tensor, ""], j: Int[Tensor, ""]
    ) -> tuple[Int[Tensor, ""], Int[Tensor, ""], int]:
        # Head n of N attends to key head n // groups of K, and B * N heads likewise.
        return r // self.plan.row_tiles // self.plan.groups, j * self.plan.columns, 0

    def _add_keys(
        self,
        x: Float[Tensor, "B*K S H"],
        r: Int[Tensor, ""],
        j: Int[Tensor, ""],
        rows: Float[Tensor, "columns H"],
    ) -> Float[Tensor, "B*K S H"]:
        return ops.slice_update(x, self._at_keys(r, j), (self._keys(x, r, j) + rows)[None])

    def _tile(
        self, x: Shaped[Tensor, "B N T S"], r: Int[Tensor, ""], j: Int[Tensor, ""]
    ) -> Shaped[Tensor, "rows columns"]:
        """Returns the part of a mask or bias, broadcastable to `(rows, columns)`."""
        return ops.slice(x, *self._corner(x, r, j))[0, 0]

    def _add_tile(
        self,
        x: Float[Tensor, "B N T S"],
        r: Int[Tensor, ""],
        j: Int[Tensor, ""],
        tile: Float[Tensor, "rows columns"],
    ) -> Float[Tensor, "B N T S"]:
        """Returns `x` with a tile added to its part, summed over the axes that broadcast."""
        start, sizes = self._corner(x, r, j)
        for axis in (0, 1):
            if sizes[2 + axis] == 1:
                tile = ops.sum(tile, axis=axis, keepdims=True)
        return ops.slice_update(x, start, ops.slice(x, start, sizes) + tile[None, None])

    def _corner(
        self, x: Shaped[Tensor, "B N T S"], r: Int[Tensor, ""], j: Int[Tensor, ""]
    ) -> tuple[list[Any], list[int]]:
        """Returns start and sizes of a tile in `x`, broadcastable to `(B, N, T, S)`."""
        plan = self.plan
        head, i = r // plan.row_tiles, r % plan.row_tiles
        start = (head // plan.heads, head % plan.heads, i * plan.rows, j * plan.columns)
        sizes = (1, 1, plan.rows, plan.columns)
        broadcasts = [size == 1 for size in x.shape]
        corner = [0 if one else at for one, at in zip(broadcasts, start, strict=True)]
        return corner, [1 if one else size for one, size in zip(broadcasts, sizes, strict=True)]


def _pad(x: Shaped[Tensor, "..."], axis: int, size: int) -> Shaped[Tensor, "..."]:
    """Returns `x` filled up to `size` along `axis`, unless it broadcasts there."""
    if x.shape[axis] in (1, size):
        return x
    return ops.pad(x, [[0, size - n if a == axis else 0] for a, n in enumerate(x.shape)])


def _zero_unseen(x: Float[Tensor, "..."], sees: Bool[Tensor, "..."] | None) -> Float[Tensor, "..."]:
    return x if sees is None else ops.where(sees, x, 0.0)


def _times(x: Float[Tensor, "..."], keep: Float[Tensor, "..."] | None) -> Float[Tensor, "..."]:
    return x if keep is None else x * keep
