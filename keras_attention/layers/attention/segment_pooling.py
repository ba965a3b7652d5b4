"""Attention pooling of each segment of a sequence."""

from typing import Any

import keras
from keras import ops

from keras_attention import scope
from keras_attention.layers.attention.attention_pooling import AttentionPooling
from keras_attention.layers.entrance import tensors
from keras_attention.ops import attention, checks, masks
from keras_attention.ops.precision import weights_dtype


@keras.saving.register_keras_serializable(package="keras_attention")
class SegmentPooling(AttentionPooling):
    """Attention pooling of Yang et al., 2016 (https://aclanthology.org/N16-1174, equations 5 to
    7), of every segment of a sequence for itself: words to segments.

    The paper's segments are sentences; here they are `segment_length` elements each, the last
    one fewer, counted over what is not masked, so that padding on either side moves no cut. One
    context vector serves all segments.

    Args:
        segment_length: elements of a segment.
        units, num_heads, dropout, kernel_initializer, seed: see `AttentionPooling`.

    Call arguments:
        value: `(B, T, D)`.
        mask: `(B, T)` boolean padding mask.
        training: whether to apply dropout.
        return_attention_scores: return the weights as well.

    Output:
        `(B, S, D)` with S the least number of segments that hold T elements, masked and exactly
        zero where a segment has none; and `(B, num_heads, S, T)` weights before dropout if
        `return_attention_scores=True`.
    """

    takes = tensors(value="(B, T, D)")

    def __init__(self, segment_length: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        checks.positive_int(segment_length=segment_length)
        self.segment_length = segment_length

    def call(
        self,
        value: Any,
        mask: Any = None,
        training: bool | None = None,
        return_attention_scores: bool = False,
    ) -> Any:
        self._check(value, mask)
        value = masks.zero_masked(value, mask)
        members = self._find_members(ops.shape(value)[1], mask)[:, None]  # (1 or B, 1, S, T)
        logits = self._score(value)[:, :, None]  # (B, N, 1, T)
        weights = attention.masked_softmax(logits, members)  # (B, N, S, T)
        pooled = self._pool(scope.record(self, weights), value, training)  # (B, S, D)
        return (pooled, weights) if return_attention_scores else pooled

    def _find_members(self, length: Any, mask: Any) -> Any:
        """Returns which elements each segment has: `(B, S, T)`, or `(1, S, T)` without a mask."""
        if mask is None:
            place = ops.arange(length, dtype="int32")[None]
        else:
            place = ops.cumsum(ops.cast(mask, "int32"), axis=1) - 1  # among the unmasked
        segments = ops.arange(self._count_segments(length), dtype="int32")
        members = ops.equal((place // self.segment_length)[:, None], segments[None, :, None])
        return members if mask is None else ops.logical_and(members, mask[:, None])

    def _count_segments(self, length: Any) -> Any:
        if length is None:
            return None
        return (length + self.segment_length - 1) // self.segment_length

    def compute_mask(self, value: Any, previous_mask: Any) -> Any:
        if previous_mask is None:
            return None
        # By operations that Keras can trace without knowing T, since masks are part of its graphs.
        counts = ops.cast(previous_mask, "int32")
        numbers = ops.cumsum(ops.ones_like(counts[:, :: self.segment_length]), axis=1) - 1
        return ops.less(numbers * self.segment_length, ops.sum(counts, axis=1, keepdims=True))

    def compute_output_shape(self, value_shape: tuple) -> tuple:
        batch, length, width = value_shape
        return (batch, self._count_segments(length), width)

    def compute_output_spec(
        self,
        value: Any,
        mask: Any = None,
        training: bool | None = None,
        return_attention_scores: bool = False,
    ) -> Any:
        self._check(value, mask)
        batch, segments, width = self.compute_output_shape(value.shape)
        output = keras.KerasTensor((batch, segments, width), dtype=self.compute_dtype)
        if not return_attention_scores:
            return output
        return output, keras.KerasTensor(
            (batch, self.num_heads, segments, value.shape[1]),
            dtype=weights_dtype(self.compute_dtype),
        )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "segment_length": self.segment_length}
