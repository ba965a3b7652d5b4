"""Sums over the edges of graphs for PyTorch on CPU, one bag of rows per target and head."""

import torch
import torch.nn.functional as F


class WeightedSegmentSum(torch.autograd.Function):
    """`kernels.weighted_segment_sum` by `F.embedding_bag`, which never holds the messages.

    Its gradients are a sum of the same kind, the other way round, and a dot per edge.
    """

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
            by_value = WeightedSegmentSum.apply(gradient, weights, target, source, len(values))
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
        by_a = WeightedSegmentSum.apply(b, gradient, target, source, len(a))
        by_b = WeightedSegmentSum.apply(a, gradient, source, target, len(b))
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
