"""Attention of blocks of queries to the blocks of keys on their lists, for PyTorch.

Keys and values are gathered for a few blocks of a head at a time, and again in the backward pass:
what is gathered stays in a CPU's cache, and is never kept. On a GPU all heads go at once.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch

from keras_attention.kernels.random.torch import dropout_factors
from keras_attention.kernels.runtime.torch import on_cpu
from keras_attention.types import Bool, Float, Int, Tensor

_NUMBERS = {"cpu": 2**18}  # of the keys, and of the values, that are gathered at once
_LOWEST = -1e30  # a logit of nothing; finite, for -inf - -inf is NaN


class Plan(NamedTuple):
    """Settings of an attention by lists."""

    size: int  # elements of a block
    causal: bool
    scale: float
    dropout: float


class Attention(torch.autograd.Function):
    """Returns attention, of T that is a multiple of the size of blocks.

    `lists` has for each block of queries the blocks of keys that it sees, in any order, and the
    number of blocks where there is none.
    """

    @staticmethod
    def forward(
        query: Float[Tensor, "B N T H"],
        key: Float[Tensor, "B K T H"],
        value: Float[Tensor, "B K T H"],
        lists: Int[Tensor, "B n M"],
        mask: Bool[Tensor, "B T"] | None,
        seed: Int[Tensor, "2"] | None,
        plan: Plan,
    ) -> Float[Tensor, "B N T H"]:
        batch, heads, length, size = query.shape
        # In the layout whose heads are merged by a view.
        y = query.new_empty(batch, length, heads, size).transpose(1, 2)
        for rows in _rows(query, key, value, lists, mask, seed, plan):
            for part in rows.parts():
                sums = torch.bmm(part.kept(part.weights()), part.value)
                rows.put(y, part.chunk, sums)
        return y

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], y: Tensor) -> None:
        *tensors, ctx.plan = inputs
        ctx.save_for_backward(*tensors, y)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, d_y: Float[Tensor, "B N T H"]) -> tuple[Tensor | None, ...]:
        query, key, value, lists, mask, seed, y = ctx.saved_tensors
        d_query, d_key, d_value = map(torch.empty_like, (query, key, value))
        for rows in _rows(query, key, value, lists, mask, seed, ctx.plan):
            by_key, by_value = torch.zeros_like(rows.key), torch.zeros_like(rows.value)
            for part in rows.parts():
                weights, d_part = part.weights(), rows.queries(d_y, part.chunk)
                of_y = (d_part * rows.queries(y, part.chunk)).sum(-1, keepdim=True)
                d_logits = part.kept(torch.bmm(d_part, part.value.mT)).sub_(of_y).mul_(weights)
                rows.put(d_query, part.chunk, torch.bmm(d_logits, part.key).mul_(ctx.plan.scale))
                rows.add(by_key, part, torch.bmm(d_logits.mT, part.query))
                rows.add(by_value, part, torch.bmm(part.kept(weights).mT, d_part))
            d_key[rows.place] = by_key.view(d_key[rows.place].shape)
            d_value[rows.place] = by_value.view(d_value[rows.place].shape)
        return d_query, d_key, d_value, None, None, None, None


class _Part(NamedTuple):
    """Some blocks of queries, `(rows * c, G * size, H)`, and what they see, `(rows * c, S, H)`."""

    chunk: slice  # of the blocks
    ids: Int[Tensor, " chunk*M"]
    query: Tensor  # times the scale
    key: Tensor
    value: Tensor
    hidden: Bool[Tensor, "c size S"]
    factors: Float[Tensor, "rows*c G*size S"] | None  # of dropout

    def weights(self) -> Float[Tensor, "rows*c G*size S"]:
        logits = torch.bmm(self.query, self.key.mT)
        count, size, seen = self.hidden.shape
        logits.view(-1, count, logits.shape[1] // size, size, seen).masked_fill_(
            self.hidden[:, None], _LOWEST
        )
        return torch.softmax(logits, dim=-1)

    def kept(self, weights: Float[Tensor, "rows*c G*size S"]) -> Float[Tensor, "rows*c G*size S"]:
        """Returns what dropout leaves of weights or of their gradient."""
        return weights if self.factors is None else weights * self.factors


class _Lists:
    """What the heads of an element of the batch share: who sees whom, by blocks of queries."""

    def __init__(
        self, lists: Int[Tensor, "n M"], mask: Bool[Tensor, " T"] | None, plan: Plan, askers: int
    ) -> None:
        self.plan, self.count = plan, len(lists)
        self.lists = lists
        self.present = None if mask is None else mask.reshape(self.count, plan.size)
        self._hidden: dict[int, Tensor] | None = {} if askers > 1 else None

    def ids(self, chunk: slice) -> Int[Tensor, "c M"]:
        """Returns the blocks of keys, the last one where there is none."""
        return self.lists[chunk].clamp(max=self.count - 1)

    def hidden(self, chunk: slice) -> Bool[Tensor, "c size S"]:
        """Returns which keys count for none; 1 for `size` if for all the same."""
        if self._hidden is None:
            return self._compare(chunk)
        if chunk.start not in self._hidden:
            self._hidden[chunk.start] = self._compare(chunk)
        return self._hidden[chunk.start]

    def _compare(self, chunk: slice) -> Bool[Tensor, "c size S"]:
        size, lists = self.plan.size, self.lists[chunk]
        steps = torch.arange(size, dtype=lists.dtype, device=lists.device)
        s = (lists[:, None, :, None] * size + steps).flatten(2)  # (c, 1, S)
        if self.plan.causal:
            blocks = torch.arange(chunk.start, chunk.stop, dtype=s.dtype, device=s.device)
            hidden = s > (blocks[:, None] * size + steps)[:, :, None]
        else:
            hidden = s >= self.count * size
        if self.present is None:
            return hidden
        return hidden | ~self.present[self.ids(chunk)].view(*s.shape)


class _Rows:
    """Heads of keys that go at once, of an element of the batch: one on a CPU."""

    def __init__(
        self,
        place: tuple[int, slice],
        query: Tensor,
        key: Tensor,
        value: Tensor,
        lists: _Lists,
        seed: Int[Tensor, "2"] | None,
    ) -> None:
        self.place, self.lists, self.plan, self.seed = place, lists, lists.plan, seed
        self.groups = query.shape[1] // key.shape[1]
        self.dtype = torch.promote_types(query.dtype, torch.float32)
        self.query = query
        self.key, self.value = (
            x[place].to(self.dtype).reshape(-1, lists.count, self.plan.size * x.shape[-1])
            for x in (key, value)
        )

    def parts(self) -> Iterator[_Part]:
        """Yields all blocks of queries, some at a time."""
        width, count = self.query.shape[-1], self.lists.count
        seen = self.lists.lists.shape[1] * self.plan.size
        most = _NUMBERS.get(self.query.device.type, 2**24)
        step = max(1, most // (len(self.key) * seen * width))
        for start in range(0, count, step):
            chunk = slice(start, min(start + step, count))
            ids = self.lists.ids(chunk).flatten()
            key, value = (
                x.index_select(1, ids).view(-1, seen, width) for x in (self.key, self.value)
            )
            query = self.queries(self.query, chunk).mul(self.plan.scale)
            factors = None
            if self.seed is not None:
                batch, heads = self.place
                index = (batch * self.query.shape[1] + heads.start) * count + start
                shape = (*query.shape[:2], seen)
                factors = dropout_factors(self.seed, index, shape, self.plan.dropout).to(query)
            yield _Part(chunk, ids, query, key, value, self.lists.hidden(chunk), factors)

    def queries(
        self, x: Float[Tensor, "B N T H"], chunk: slice
    ) -> Float[Tensor, "rows*c G*size H"]:
        """Returns blocks of queries, or of what is of their shape."""
        blocks = self._blocks(x, chunk).transpose(1, 2).to(self.dtype)
        return blocks.reshape(-1, self.groups * self.plan.size, x.shape[-1])

    def put(
        self, x: Float[Tensor, "B N T H"], chunk: slice, rows: Float[Tensor, "rows*c G*size H"]
    ) -> None:
        """Writes blocks of queries, or what is of their shape."""
        blocks = self._blocks(x, chunk)
        batch, groups, count, *rest = blocks.shape
        blocks.copy_(rows.view(batch, count, groups, *rest).transpose(1, 2))

    def add(
        self, x: Float[Tensor, "rows n size*H"], part: _Part, rows: Float[Tensor, "rows*c S H"]
    ) -> None:
        """Adds what was computed for gathered keys to the keys."""
        x.index_add_(1, part.ids, rows.view(len(x), -1, x.shape[-1]))

    def _blocks(
        self, x: Float[Tensor, "B N T H"], chunk: slice
    ) -> Float[Tensor, "rows G c size H"]:
        batch, heads = self.place
        heads = slice(heads.start * self.groups, heads.stop * self.groups)
        elements = slice(chunk.start * self.plan.size, chunk.stop * self.plan.size)
        x = x[batch, heads, elements]
        return x.unflatten(1, (-1, self.plan.size)).unflatten(0, (-1, self.groups))


def _rows(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    lists: Int[Tensor, "B n M"],
    mask: Bool[Tensor, "B T"] | None,
    seed: Int[Tensor, "2"] | None,
    plan: Plan,
) -> Iterator[_Rows]:
    """Yields all heads of keys, as many at a time as the device wants."""
    step = 1 if on_cpu(query) else key.shape[1]
    for batch in range(len(query)):
        present = None if mask is None else mask[batch]
        of_all = lists[batch if len(lists) > 1 else 0]
        of_batch = _Lists(of_all, present, plan, askers=-(-key.shape[1] // step))
        for start in range(0, key.shape[1], step):
            place = batch, slice(start, start + step)
            yield _Rows(place, query, key, value, of_batch, seed)
