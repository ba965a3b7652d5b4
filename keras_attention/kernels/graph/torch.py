"""Rows by index and sums over the edges of graphs for PyTorch."""

from typing import Any

import torch
import torch.nn.functional as F

from keras_attention.kernels.runtime.torch import becomes_graph, on_cpu
from keras_attention.types import Float, Int, Shaped, Tensor


def take_rows(data: Shaped[Tensor, "N ..."], ids: Int[Tensor, " E"]) -> Shaped[Tensor, "E ..."]:
    """Returns rows of `data` by `ids`, which must be inside."""
    return data.index_select(0, ids)


def segment_sum(
    data: Float[Tensor, "E ..."], segment_ids: Int[Tensor, " E"], num_segments: int
) -> Float[Tensor, "segments ..."]:
    """Returns the sums of the rows of `data` that share an id."""
    out = data.new_zeros((num_segments, *data.shape[1:]))
    if torch.jit.is_tracing():  # the export to ONNX adds no two rows to one by `index_add`
        return out.scatter_add(0, _expand_ids(segment_ids, data), data)
    return out.index_add(0, segment_ids, data)


def segment_max(
    data: Float[Tensor, "E ..."], segment_ids: Int[Tensor, " E"], num_segments: int
) -> Float[Tensor, "segments ..."]:
    """Returns the maximum of the rows that share an id; the lowest finite number where none do."""
    out = data.new_full((num_segments, *data.shape[1:]), torch.finfo(data.dtype).min)
    return out.scatter_reduce(0, _expand_ids(segment_ids, data), data, "amax")


def _expand_ids(ids: Int[Tensor, " E"], data: Float[Tensor, "E ..."]) -> Int[Tensor, "E ..."]:
    """Returns the id of a row for each of its numbers, as a view."""
    return ids.reshape(-1, *[1] * (data.ndim - 1)).expand_as(data)


def weighted_segment_sum(
    values: Float[Tensor, "N heads H"],
    weights: Float[Tensor, "E heads"],
    source: Int[Tensor, " E"],
    target: Int[Tensor, " E"],
    num_segments: int,
) -> Float[Tensor, "segments heads H"]:
    """Returns the sums of `weights[e] * values[source[e]]` over the edges e that share `target[e]`.

    Eager on CPU, the messages themselves are never held: `F.embedding_bag` adds them up, one bag
    for each target and head. Compiled, they are fused away.
    """
    if on_cpu(values) and not becomes_graph():
        return _WeightedSegmentSum.apply(values, weights, source, target, num_segments)
    return segment_sum(take_rows(values, source) * weights[..., None], target, num_segments)


class _WeightedSegmentSum(torch.autograd.Function):
    """`weighted_segment_sum` by `F.embedding_bag`, which never holds the messages.

    Its gradients are a sum of the same kind, the other way round, and a dot per edge.
    """

    @staticmethod
    def forward(
        values: Tensor, weights: Tensor, source: Tensor, target: Tensor, num_segments: int
    ) -> Tensor:
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
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        *tensors, _ = inputs
        ctx.save_for_backward(*tensors)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        values, weights, source, target = ctx.saved_tensors
        by_value = by_weight = None
        if ctx.needs_input_grad[0]:
            by_value = _WeightedSegmentSum.apply(gradient, weights, target, source, len(values))
        if ctx.needs_input_grad[1]:
            by_weight = _EdgeDots.apply(values, gradient, source, target)
        return by_value, by_weight, None, None, None


class _EdgeDots(torch.autograd.Function):
    """The dot products `a[source[e]] . b[target[e]]` per edge and head, `(E, heads)`."""

    @staticmethod
    def forward(a: Tensor, b: Tensor, source: Tensor, target: Tensor) -> Tensor:
        bags = _Bags(source, target, len(b), *a.shape[:2])
        dots = torch.ops.aten._embedding_bag_per_sample_weights_backward(
            bags.stack(b), bags.stack(a), bags.rows, bags.starts, bags.bag_of_row(), 0
        )
        return bags.unsort(dots)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        a, b, source, target = ctx.saved_tensors
        by_a = _WeightedSegmentSum.apply(b, gradient, target, source, len(a))
        by_b = _WeightedSegmentSum.apply(a, gradient, source, target, len(b))
        return by_a, by_b, None, None


class _Bags:
    """The edges as bags of rows for `embedding_bag`, sorted by target, head after head."""

    def __init__(
        self, source: Tensor, target: Tensor, num_targets: int, num_rows: int, heads: int
    ) -> None:
        self.num_targets, self.num_rows, self.heads = num_targets, num_rows, heads
        self.target, self.order = torch.sort(target)
        counts = torch.bincount(target, minlength=num_targets)
        starts = counts.cumsum(0) - counts
        self.rows = self._every_head(source.index_select(0, self.order), num_rows)
        self.starts = self._every_head(starts, len(source))

    def _every_head(self, ids: Tensor, shift: int) -> Tensor:
        shifts = torch.arange(self.heads, device=ids.device)[:, None] * shift
        return (shifts + ids).to(torch.int32).flatten()

    def bag_of_row(self) -> Tensor:
        """Returns the number of the bag that each row is in."""
        return self._every_head(self.target, self.num_targets)

    def stack(self, x: Float[Tensor, "N heads H"]) -> Float[Tensor, "heads*N H"]:
        """Returns the rows of one head after those of the other."""
        return x.transpose(0, 1).reshape(-1, x.shape[-1])

    def unstack(self, x: Float[Tensor, "heads*N H"]) -> Float[Tensor, "N heads H"]:
        """Returns the inverse of `stack`."""
        return x.view(self.heads, self.num_targets, -1).transpose(0, 1)

    def sort(self, weights: Float[Tensor, "E heads"]) -> Float[Tensor, " heads*E"]:
        """Returns the weights in the order of the rows."""
        return weights.index_select(0, self.order).t().flatten()

    def unsort(self, x: Float[Tensor, " heads*E"]) -> Float[Tensor, "E heads"]:
        """Returns the inverse of `sort`."""
        x = x.view(self.heads, -1).t()
        return torch.empty_like(x, memory_format=torch.contiguous_format).index_copy_(
            0, self.order, x.contiguous()
        )
