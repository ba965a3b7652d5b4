"""PyTorch."""

import torch
import torch.nn.functional as F
from torch.utils.checkpoint import checkpoint

INDEX_DTYPE = "int64"  # `index_add` takes nine times as long with int32 ids.

BRANCHES = ("explicit", "fused", "rows", "tiled")  # of attention, see the table in `kernels`


def attention_branch(query, key, *, window, dropout):
    """The computation of attention that is fastest here, by name."""
    length = query.shape[2]
    if dropout and query.device.type == "cpu":
        return "rows" if length * key.shape[2] >= 1024 * 1024 else "explicit"
    if window is not None and length >= max(4 * window, 256):
        return "rows"
    return "fused"


def fused_attention(query, key, value, *, mask=None, causal=False, scale, dropout=0.0):
    """`F.scaled_dot_product_attention`, head-major: `(B, N, T, H)` on `(B, K, S, H)`.

    `mask` is boolean, or a float to add with -inf where it hides: with a large negative number
    instead, the CPU kernel's gradient of a fully masked row is wrong. Not with `causal`. The
    dropout is drawn from PyTorch's own generator.
    """
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


def linear(x, kernel, bias=None):
    """`x W + b`, of the variables W `(D, U)` and b `(U,)`."""
    return F.linear(x, kernel.value.T, None if bias is None else bias.value)


def linears(x, projections):
    """`linear` of one input for each (kernel, bias).

    Without gradients as one product, which reads the input once; with them the gradients of
    the pieces would cost what that saves.
    """
    if torch.is_grad_enabled() or len({bias is None for _, bias in projections}) > 1:
        return [linear(x, kernel, bias) for kernel, bias in projections]
    kernels = [kernel.value for kernel, _ in projections]
    biases = [bias.value for _, bias in projections if bias is not None]
    y = F.linear(x, torch.cat(kernels, dim=1).T, torch.cat(biases) if biases else None)
    return y.split([kernel.shape[1] for kernel in kernels], dim=-1)


def split_heads(x, head_dim):
    """`(B, T, N * H)` to `(B, N, T, H)`, a view."""
    return x.unflatten(-1, (-1, head_dim)).transpose(1, 2)


def merge_heads(x):
    """`(B, N, T, H)` to `(B, T, N * H)`."""
    return x.transpose(1, 2).flatten(2)


def blocks(x, size):
    """`(B, N, T, H)` cut into blocks of `size` along T, whose gradients are of that size too."""
    return x.split(size, dim=2)


def take_rows(data, ids):
    """Rows of `data` `(N, ...)` by `ids` `(E,)`, which must be inside: `(E, ...)`."""
    return data.index_select(0, ids)


def segment_sum(data, segment_ids, num_segments):
    """Sums rows of `data` `(E, ...)` that share an id: `(num_segments, ...)`."""
    out = data.new_zeros((num_segments, *data.shape[1:]))
    return out.index_add(0, segment_ids, data)


def segment_max(data, segment_ids, num_segments):
    """Maximum of the rows that share an id; the lowest finite number where there are none."""
    out = data.new_full((num_segments, *data.shape[1:]), torch.finfo(data.dtype).min)
    ids = segment_ids.reshape(-1, *[1] * (data.ndim - 1)).expand_as(data)
    return out.scatter_reduce(0, ids, data, "amax")


def weighted_segment_sum(values, weights, source, target, num_segments):
    """Sums `weights[e] * values[source[e]]` over the edges e that share `target[e]`.

    Values `(N, heads, H)` and weights `(E, heads)` to `(num_segments, heads, H)`. Eager on CPU,
    the messages themselves are never held: `F.embedding_bag` adds them up, one bag for each
    target and head. Compiled, they are fused away.
    """
    if values.device.type == "cpu" and not torch.compiler.is_compiling():
        return _WeightedSegmentSum.apply(values, weights, source, target, num_segments)
    return segment_sum(take_rows(values, source) * weights[..., None], target, num_segments)


class _WeightedSegmentSum(torch.autograd.Function):
    """Its gradients are a sum of the same kind, the other way round, and a dot per edge."""

    @staticmethod
    def forward(values, weights, source, target, num_segments):
        bags = _Bags(source, target, num_segments, *values.shape[:2])
        return bags.unstack(
            F.embedding_bag(
                bags.rows,
                bags.stack(values),
                bags.starts,
                mode="sum",
                per_sample_weights=bags.sort(weights),
            )
        )

    @staticmethod
    def setup_context(ctx, inputs, output):
        *tensors, _ = inputs
        ctx.save_for_backward(*tensors)

    @staticmethod
    def backward(ctx, gradient):
        values, weights, source, target = ctx.saved_tensors
        by_value = by_weight = None
        if ctx.needs_input_grad[0]:
            by_value = weighted_segment_sum(gradient, weights, target, source, len(values))
        if ctx.needs_input_grad[1]:
            by_weight = _EdgeDots.apply(values, gradient, source, target)
        return by_value, by_weight, None, None, None


class _EdgeDots(torch.autograd.Function):
    """`a[source[e]] . b[target[e]]` per edge and head: `(E, heads)`."""

    @staticmethod
    def forward(a, b, source, target):
        bags = _Bags(source, target, len(b), *a.shape[:2])
        dots = torch.ops.aten._embedding_bag_per_sample_weights_backward(
            bags.stack(b), bags.stack(a), bags.rows, bags.starts, bags.bag_of_row(), 0
        )
        return bags.unsort(dots)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, gradient):
        a, b, source, target = ctx.saved_tensors
        by_a = weighted_segment_sum(b, gradient, target, source, len(a))
        by_b = weighted_segment_sum(a, gradient, source, target, len(b))
        return by_a, by_b, None, None


class _Bags:
    """Edges as bags of rows for `embedding_bag`: sorted by target, head after head."""

    def __init__(self, source, target, num_targets, num_rows, heads):
        self.num_targets, self.num_rows, self.heads = num_targets, num_rows, heads
        self.target, self.order = torch.sort(target)
        counts = torch.bincount(target, minlength=num_targets)
        starts = counts.cumsum(0) - counts
        self.rows = self._every_head(source.index_select(0, self.order), num_rows)
        self.starts = self._every_head(starts, len(source))

    def _every_head(self, ids, shift):
        shifts = torch.arange(self.heads, device=ids.device)[:, None] * shift
        return (shifts + ids).to(torch.int32).flatten()

    def bag_of_row(self):
        return self._every_head(self.target, self.num_targets)

    def stack(self, x):
        """`(N, heads, H)` to `(heads * N, H)`."""
        return x.transpose(0, 1).reshape(-1, x.shape[-1])

    def unstack(self, x):
        return x.view(self.heads, self.num_targets, -1).transpose(0, 1)

    def sort(self, weights):
        """`(E, heads)` to `(heads * E,)`."""
        return weights.index_select(0, self.order).t().flatten()

    def unsort(self, x):
        x = x.view(self.heads, -1).t()
        return torch.empty_like(x, memory_format=torch.contiguous_format).index_copy_(
            0, self.order, x.contiguous()
        )


def additive_scores(query, key, vector):
    """`vector . tanh(q_t + k_s)`: `(..., T, U)`, `(..., S, U)`, `(U,)` to `(..., T, S)`.

    In chunks of queries, in one buffer, with a gradient of its own. Compiled, in one piece:
    then nothing of T x S x U is held either.
    """
    if torch.compiler.is_compiling():
        return _additive_scores(query, key, vector)
    return _AdditiveScores.apply(query, key, vector)


def _additive_scores(query, key, vector):
    """With `tanh(x) = 2 sigmoid(2 x) - 1`: PyTorch's sigmoid takes a fifth of its tanh's time."""
    hidden = torch.sigmoid(2 * (query[..., :, None, :] + key[..., None, :, :]))
    return (hidden * (2 * vector)).sum(-1) - vector.sum()


class _AdditiveScores(torch.autograd.Function):
    """The same in chunks, with the sigmoids computed once more in the backward pass."""

    @staticmethod
    def forward(query, key, vector):
        scores = query.new_empty(*query.shape[:-1], key.shape[-2])
        q, k, out = (x.reshape(-1, *x.shape[-2:]) for x in (2 * query, 2 * key, scores))
        for row, chunk in _row_chunks(q, k):
            hidden = (q[row, chunk, None] + k[row]).sigmoid_()  # (C, S, U)
            torch.matmul(hidden, 2 * vector, out=out[row, chunk])
        return scores.sub_(vector.sum())

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, gradient):
        query, key, vector = ctx.saved_tensors
        if torch.is_grad_enabled():  # for second derivatives
            scores = _additive_scores(query, key, vector)
            return torch.autograd.grad(scores, (query, key, vector), gradient, create_graph=True)
        q, k, g = (x.reshape(-1, *x.shape[-2:]) for x in (2 * query, 2 * key, gradient))
        by_query, by_key, by_vector = map(torch.zeros_like, (q, k, vector))
        for row, chunk in _row_chunks(q, k):
            hidden = (q[row, chunk, None] + k[row]).sigmoid_()  # (C, S, U)
            by_vector.addmv_(hidden.flatten(0, 1).t(), g[row, chunk].flatten(), alpha=2)
            # tanh' = 4 (s - s^2), with s the sigmoid.
            hidden.addcmul_(hidden, hidden, value=-1).mul_(g[row, chunk, :, None])
            torch.sum(hidden, 1, out=by_query[row, chunk])
            by_key[row] += hidden.sum(0)
        by_query, by_key = (x.mul_(4 * vector) for x in (by_query, by_key))
        return by_query.view_as(query), by_key.view_as(key), by_vector - gradient.sum()


def _row_chunks(query, key):
    """Row by row of `(rows, T, U)` queries, slices of T that fill `chunk_numbers`."""
    size = max(1, chunk_numbers() // max(1, key[0].numel()))
    for row in range(len(query)):
        for start in range(0, query.shape[1], size):
            yield row, slice(start, start + size)


def chunk_numbers():
    """How many numbers a loop over chunks should hold at once: what a CPU's cache does."""
    return 2**24 if torch.cuda.is_available() else 2**17


def cond(condition, if_true, if_false):
    """`if_true()` or `if_false()` by a boolean scalar; no gradients flow through either."""
    if torch.compiler.is_compiling():
        with torch.no_grad():  # a branch must not return what it was given
            return torch.cond(condition, lambda: if_true().clone(), lambda: if_false().clone())
    return if_true() if condition else if_false()


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


def differentiable(forward, backward):
    """`forward(*tensors)[0]`, with `backward` for its gradient.

    Args:
        forward: `f(*tensors)` returns the output and what the gradient needs, a tuple of tensors.
        backward: `f(saved, gradient)` returns a gradient per tensor, or `None`.
    """

    class Function(torch.autograd.Function):
        @staticmethod
        def forward(context, *tensors):
            output, saved = forward(*tensors)
            context.save_for_backward(*saved)
            return output

        @staticmethod
        @torch.autograd.function.once_differentiable
        def backward(context, gradient):
            return backward(context.saved_tensors, gradient)

    return Function.apply


def dropout_factors(seed, index, shape, rate):
    """0 with probability `rate`, else `1 / (1 - rate)`; by a Keras seed `(2,)` and an integer."""
    high, low = (int(part) for part in seed)
    generator = torch.Generator(seed.device).manual_seed(hash((high, low, int(index))))
    keep = torch.rand(shape, generator=generator, device=seed.device) >= rate
    return keep.to(torch.float32) / (1 - rate)
