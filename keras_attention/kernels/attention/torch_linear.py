"""Linear attention for PyTorch on CPUs, by chunks of queries and keys that stay in the cache.

Katharopoulos et al., 2020 (https://arxiv.org/abs/2006.16236), equations 4 and 5. Operations on
whole sequences go through the memory, which takes four fifths of their time.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

from keras_attention.types import Bool, Float, Tensor

# Elements of a chunk: about H, where its C x C products and its state are as large. With one head
# PyTorch's own time for each operation counts more.
_CHUNK, _OF_ONE_HEAD = 64, 128

# The maps of `ops.linear`, and their derivatives by their own values.
_FEATURES: dict[str, Callable[[Tensor], Tensor]] = {
    "elu": lambda x: x.clamp(max=0).exp_().add_(x.clamp(min=0)),
    "relu": lambda x: x.clamp(min=0),
    "softplus": F.softplus,
}
_SLOPES: dict[str, Callable[[Tensor], Tensor]] = {
    "elu": lambda features: features.clamp(max=1),
    "relu": lambda features: features > 0,
    "softplus": lambda features: -torch.expm1(-features),
}


class Attention(torch.autograd.Function):
    """Returns `plain(query, key, value)`, by chunks, and the sums that it was divided by.

    Causal, a chunk of queries has the quadratic form with its own keys, and the state of those
    before. The backward pass computes the states anew, and goes from the last chunk to the first.
    """

    @staticmethod
    def forward(
        query: Float[Tensor, "B N T H"],
        key: Float[Tensor, "B K S H"],
        value: Float[Tensor, "B K S H"],
        mask: Bool[Tensor, "B S"] | None,
        feature_map: str,
        causal: bool,
        plain: Callable[..., Tensor],
    ) -> tuple[Float[Tensor, "B N T H"], Float[Tensor, "B N T 1"]]:
        parts = _Parts(query, key, value, mask, feature_map)
        batch, heads, length, _ = query.shape
        # In the layout whose heads are merged by a view.
        y = query.new_empty(batch, length, heads, value.shape[-1], dtype=parts.dtype)
        y, total = y.transpose(1, 2), query.new_empty(batch, heads, length, 1, dtype=parts.dtype)
        state = parts.nothing() if causal else parts.states()[-1]
        for chunk in parts.chunks(query):
            q = parts.queries(chunk)
            sums = torch.bmm(q, state)
            if causal:
                k, v = parts.keys(chunk), parts.values(chunk)
                sums.baddbmm_(parts.earlier(q, k), v)
                state.baddbmm_(k.mT, v)
            sums = sums.view(batch, heads, -1, sums.shape[-1])
            # Of a query that sees nothing the sums are zero, and stay so.
            all_seen = sums[..., -1:].masked_fill(~(sums[..., -1:] > 0), torch.inf)
            torch.div(sums[..., :-1], all_seen, out=y[:, :, chunk])
            total[:, :, chunk] = all_seen
        return y, total

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], outputs: tuple[Tensor, Tensor]) -> None:
        *tensors, ctx.feature_map, ctx.causal, ctx.plain = inputs
        ctx.mark_non_differentiable(outputs[1])
        ctx.save_for_backward(*tensors, *outputs)

    @staticmethod
    def backward(ctx: Any, d_y: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        query, key, value, mask, y, total = ctx.saved_tensors
        if torch.is_grad_enabled():  # for second derivatives
            tensors = (query, key, value)
            gradients = torch.autograd.grad(ctx.plain(*tensors), tensors, d_y, create_graph=True)
            return *gradients, None, None, None, None
        parts = _Parts(query, key, value, mask, ctx.feature_map)
        pass_back = parts.pass_back_causal if ctx.causal else parts.pass_back
        return *pass_back(y, total, d_y), None, None, None, None


class _Parts:
    """Features of chunks, `(B * K, C, H)`, of queries `(B * K, G * C, H)` for G of a head of keys.

    Values have a column of ones, whose sums are what the others are divided by: U = H + 1.
    """

    def __init__(
        self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, feature_map: str
    ) -> None:
        self.query, self.key, self.value, self.mask = query, key, value, mask
        self.rows = key.shape[0] * key.shape[1]
        self.dtype = torch.promote_types(value.dtype, torch.float32)
        self.features, self.slope = _FEATURES[feature_map], _SLOPES[feature_map]

    def nothing(self) -> Float[Tensor, "rows H U"]:
        """Returns the state of no keys."""
        size, width = self.key.shape[-1], self.value.shape[-1]
        return self.key.new_zeros(self.rows, size, width + 1, dtype=self.dtype)

    def chunks(self, x: Float[Tensor, "B N T H"]) -> list[slice]:
        size = _CHUNK if self.rows > 1 else _OF_ONE_HEAD
        return [slice(start, start + size) for start in range(0, x.shape[2], size)]

    def states(self) -> list[Float[Tensor, "rows H U"]]:
        """Returns the states before each chunk, and after the last."""
        states = [self.nothing()]
        for chunk in self.chunks(self.key):
            keys, values = self.keys(chunk), self.values(chunk)
            states.append(torch.baddbmm(states[-1], keys.mT, values))
        return states

    def queries(self, chunk: slice) -> Float[Tensor, "rows G*C H"]:
        return self.features(self._flat(self.query[:, :, chunk]))

    def keys(self, chunk: slice) -> Float[Tensor, "rows C H"]:
        features = self.features(self._flat(self.key[:, :, chunk]))
        if self.mask is None:
            return features
        seen = self.mask[:, None, chunk, None].expand(-1, self.key.shape[1], -1, -1)
        return features.masked_fill_(~seen.reshape(self.rows, -1, 1), 0)

    def values(self, chunk: slice) -> Float[Tensor, "rows C U"]:
        return F.pad(self._flat(self.value[:, :, chunk]), (0, 1), value=1.0)

    def earlier(
        self, x: Float[Tensor, "rows G*C U"], y: Float[Tensor, "rows C U"]
    ) -> Float[Tensor, "rows G*C C"]:
        """Returns products of each of a chunk with those that are not after it."""
        products = torch.bmm(x, y.mT)
        products.view(self.rows, -1, *products.shape[-1:] * 2).tril_()
        return products

    def pass_back(self, y: Tensor, total: Tensor, d_y: Tensor) -> list[Tensor]:
        """Returns gradients by query, key and value where all see all."""
        d_query, d_key, d_value = map(torch.empty_like, (self.query, self.key, self.value))
        state, d_state = self.states()[-1], self.nothing()
        for chunk in self.chunks(self.query):
            q, d_sums = self.queries(chunk), self._by_sums(chunk, y, total, d_y)
            self._put(d_query, chunk, torch.bmm(d_sums, state.mT).mul_(self.slope(q)))
            d_state.baddbmm_(q.mT, d_sums)
        for chunk in self.chunks(self.key):
            k, v = self.keys(chunk), self.values(chunk)
            self._put(d_key, chunk, torch.bmm(v, d_state.mT).mul_(self.slope(k)))
            self._put(d_value, chunk, torch.bmm(k, d_state)[..., :-1])
        return [d_query, d_key, d_value]

    def pass_back_causal(self, y: Tensor, total: Tensor, d_y: Tensor) -> list[Tensor]:
        """Returns gradients by query, key and value where none sees what is after it."""
        d_query, d_key, d_value = map(torch.empty_like, (self.query, self.key, self.value))
        d_state = self.nothing()  # of the chunks behind
        for chunk, state in reversed(list(zip(self.chunks(self.key), self.states(), strict=False))):
            q, k, v = self.queries(chunk), self.keys(chunk), self.values(chunk)
            d_sums = self._by_sums(chunk, y, total, d_y)
            near, d_near = self.earlier(q, k), self.earlier(d_sums, v)
            d_q = torch.bmm(d_sums, state.mT).baddbmm_(d_near, k)
            d_k = torch.bmm(v, d_state.mT).baddbmm_(d_near.mT, q)
            d_v = torch.bmm(k, d_state).baddbmm_(near.mT, d_sums)
            d_state.baddbmm_(q.mT, d_sums)
            self._put(d_query, chunk, d_q.mul_(self.slope(q)))
            self._put(d_key, chunk, d_k.mul_(self.slope(k)))
            self._put(d_value, chunk, d_v[..., :-1])
        return [d_query, d_key, d_value]

    def _by_sums(
        self, chunk: slice, y: Tensor, total: Tensor, d_y: Tensor
    ) -> Float[Tensor, "rows G*C U"]:
        """Returns the gradient of a chunk by its sums, which were divided by the last of them."""
        d_sums = d_y[:, :, chunk] / total[:, :, chunk]
        by_total = (d_sums * y[:, :, chunk]).sum(-1, keepdim=True).neg_()
        return self._flat(torch.cat([d_sums, by_total], -1))

    def _flat(self, x: Float[Tensor, "B N C H"]) -> Float[Tensor, "rows G*C H"]:
        return x.to(self.dtype).reshape(self.rows, -1, x.shape[-1])

    @staticmethod
    def _put(x: Float[Tensor, "B N T H"], chunk: slice, rows: Float[Tensor, "rows G*C H"]) -> None:
        x[:, :, chunk] = rows.reshape(x[:, :, chunk].shape)
