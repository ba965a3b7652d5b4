"""Multi-head self-attention."""

from collections.abc import Callable
from functools import partial
from typing import Any

import keras

from keras_attention import scope
from keras_attention.layers import strategy
from keras_attention.layers.attention.block_sparse_attention import BlockSparseAttention
from keras_attention.layers.attention.dense_attention import DenseAttention
from keras_attention.layers.attention.linear_attention import LinearAttention
from keras_attention.layers.attention.mechanism import Mechanism, Memory
from keras_attention.layers.attention.multi_head_attention import MultiHeadAttention
from keras_attention.layers.attention.shifted_window_attention import ShiftedWindowAttention
from keras_attention.layers.entrance import tensors
from keras_attention.layers.positions.alibi import ALiBi
from keras_attention.layers.positions.position_strategy import PositionStrategy
from keras_attention.layers.positions.relative_position_bias import RelativePositionBias
from keras_attention.layers.positions.rotary_embedding import RotaryEmbedding
from keras_attention.layers.positions.shaw_relative_position import ShawRelativePosition
from keras_attention.ops import checks, masks
from keras_attention.ops.visibility import Band, Span, Visibility
from keras_attention.types import Bool, Float, Tensor

_MECHANISMS = {
    "block_sparse": BlockSparseAttention,
    "linear": LinearAttention,
    "shifted_window": ShiftedWindowAttention,
}


@keras.saving.register_keras_serializable(package="keras_attention")
class MultiHeadSelfAttention(MultiHeadAttention):
    """Multi-head self-attention of Vaswani et al., 2017, section 3.2
    (https://arxiv.org/abs/1706.03762), with grouped heads, windows and relative positions.

    Unlike `keras.layers.MultiHeadAttention` it takes one sequence, uses a fused kernel with
    masks and dropout too, and gives exact zeros for a query that may attend to nothing, which
    includes every masked query.

    Args:
        num_heads: query heads N.
        head_dim: size H of each head; the width divided by `num_heads` if `None`.
        num_kv_heads: key and value heads K, a divisor of `num_heads`; 1 is multi-query, between
            grouped-query attention (https://arxiv.org/abs/2305.13245).
        output_dim: width of the output; that of the input if `None`.
        causal: hide the positions after each query.
        window: attend only to positions nearer than this; `j > i - window` if causal (the
            sliding window of https://arxiv.org/abs/2310.06825), else `|i - j| < window`.
        position: how positions enter: `None`, `"rotary"`, `"relative_bias"`, `"alibi"`,
            `"shaw"`, or a `RotaryEmbedding`, `RelativePositionBias`, `ALiBi` or
            `ShawRelativePosition` with other settings, of which a copy is kept.
        mechanism: what is computed instead of dense attention, in time and memory linear in T:
            `None`, `"block_sparse"`, `"linear"`, `"shifted_window"`, or a `BlockSparseAttention`,
            `LinearAttention` or `ShiftedWindowAttention` with other settings, of which a copy is
            kept. With an `attention_mask`, and where weights are asked for, it computes them all.
        dropout: share of the attention weights that training drops.
        use_bias: whether the four projections have biases, or the names of those that have:
            `"query"`, `"key"`, `"value"`, `"output"`.
        qk_norm: normalise queries and keys per head (RMS, with a learned scale).
        scale: factor of the logits; `head_dim ** -0.5` if `None`.
        kernel_initializer, bias_initializer: of the projections.
        seed: of the dropout.

    Call arguments:
        query: `(B, T, D)`.
        mask, query_mask: `(B, T)` boolean padding mask; either name, ANDed if both, and
            propagated by Keras.
        attention_mask: boolean, broadcastable to `(B, T, T)` or `(B, N, T, T)`.
        attention_bias: added to the logits, `(B, N, T, T)` or broadcastable in the first two, such
            as an `AttentionBias` that several layers share; of dense attention alone.
        training: whether to apply dropout.
        return_attention_scores: return the weights as well.

    Output:
        `(B, T, output_dim)`, and `(B, N, T, T)` weights before dropout, in float32 at least, if
        `return_attention_scores=True`.

    Raises:
        ValueError: the width is not divisible by `num_heads`, `num_heads` not by
            `num_kv_heads`, a mask has the wrong shape or dtype, or the mechanism has no place for
            another setting.
    """

    takes = tensors(query="(B, T, D)", attention_bias="(..., T, S)")
    built_for = ("D",)
    reads = "itself"

    def __init__(
        self,
        num_heads: int,
        *,
        causal: bool = False,
        window: int | None = None,
        position: Any = None,
        mechanism: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(num_heads, **kwargs)
        if window is not None:
            checks.positive_int(window=window)
        self.causal = causal
        self.window = window
        positions: dict[str, Callable[[], PositionStrategy]] = {
            "rotary": RotaryEmbedding,
            "relative_bias": partial(RelativePositionBias, bidirectional=not causal),
            "alibi": ALiBi,
            "shaw": ShawRelativePosition,
        }
        self.position: PositionStrategy = (
            strategy.copy_of(position, positions, PositionStrategy, "position")
            or PositionStrategy()
        )
        self.mechanism = strategy.copy_of(
            mechanism, _MECHANISMS, Mechanism, "mechanism"
        ) or DenseAttention(self.position)
        self.mechanism.check(self)

    def build(self, query_shape: tuple) -> None:
        checks.rank("query", query_shape, "(B, T, D)")
        checks.known("query", query_shape)
        self._build_projections(*[query_shape[-1]] * 3)
        queries = (None, self.num_heads, None, self._head_dim)
        keys = (None, self.num_kv_heads, None, self._head_dim)
        self.position.build(queries)
        self.mechanism.build(queries, keys, keys)
        self.built = True

    def call(
        self,
        query: Float[Tensor, "B T D"],
        mask: Bool[Tensor, "B T"] | None = None,
        query_mask: Bool[Tensor, "B T"] | None = None,
        attention_mask: Bool[Tensor, "B N T T"] | None = None,
        training: bool | None = None,
        return_attention_scores: bool = False,
        attention_bias: Float[Tensor, "B N T T"] | None = None,
    ) -> Any:
        self.check(query, mask, query_mask, attention_mask, attention_bias)
        mask = masks.both(mask, query_mask)
        x = masks.zero_masked(query, mask)
        output, weights = self.attend(
            x,
            mask,
            attention_mask,
            training,
            attention_bias=attention_bias,
            return_weights=return_attention_scores,
        )
        return (output, weights) if return_attention_scores else output

    def attend(
        self,
        x: Float[Tensor, "B T D"],
        mask: Bool[Tensor, "B T"] | None = None,
        attention_mask: Bool[Tensor, "B N T T"] | None = None,
        training: bool | None = None,
        *,
        attention_bias: Float[Tensor, "B N T S"] | None = None,
        return_weights: bool = False,
    ) -> tuple[Float[Tensor, "B T D"], Float[Tensor, "B N T S"] | None]:
        """Does what `call` does once its arguments are checked and masked positions are finite.

        For blocks, which have seen to both: it skips what Keras does around every call.
        """
        span = Span.of(x, scope.first_position())
        q, k, v = self._project(x, "query", "key", "value")
        q, k = self.position.rotate(q, k, span)
        memory = self._remember(Memory(k, v, mask, span, aligned=True))
        if attention_bias is not None and not memory.aligned:
            attention_bias = attention_bias[..., : memory.key.shape[2]]  # of a cache's filled part
        visibility = Visibility.of(
            self.mechanism.pattern(Band(self.causal, self.window), memory),
            queries=span,
            keys=memory.span,
            aligned=memory.aligned,
            query_mask=mask,
            key_mask=memory.mask,
            attention_mask=attention_mask,
            attention_bias=attention_bias,
        )
        y, weights = self._attend(q, memory, visibility, training, return_weights)
        return self._project_output(y, visibility.visible_queries()), weights

    def _remember(self, memory: Memory) -> Memory:
        """Returns the keys and values of this call, behind those that a cache holds."""
        cache = scope.current_cache()
        if cache is None or (cache.prefill and not self.causal):
            return memory
        if not self.causal:
            raise ValueError(
                "Only causal self-attention can be continued from a cache. Received: "
                f"causal=False in layer {self.path!r}. Enter the cache scope around the "
                "decoder alone, or pass causal=True."
            )
        slot = cache.slot(self)
        if slot.filled:
            return self.mechanism.resume(slot, memory)
        checks.at_most(
            "query",
            memory.key.shape[2],
            "max_length",
            cache.max_length,
            "Give the cache scope room for prompt and continuation together.",
        )
        memory = memory._replace(mask=scope.padded(memory.mask))
        self.mechanism.begin(slot, memory)
        return memory

    def check(
        self,
        query: Tensor,
        mask: Tensor | None,
        query_mask: Tensor | None,
        attention_mask: Tensor | None,
        attention_bias: Tensor | None = None,
    ) -> None:
        """Raises `ValueError` for arguments of `call` that do not fit together."""
        checks.sequence_mask("mask", mask, "query", query.shape)
        checks.sequence_mask("query_mask", query_mask, "query", query.shape)
        batch, length, _ = query.shape
        # A call inside a cache scope may attend to more keys than it has queries.
        key_length = length if scope.current_cache() is None else None
        shape = (batch, self.num_heads, length, key_length)
        checks.attention_mask(attention_mask, shape)
        checks.attention_bias(attention_bias, shape)
        if attention_bias is not None and not self.mechanism.takes_bias:
            raise ValueError(
                "`attention_bias` is of dense attention. Received: attention_bias and "
                f"mechanism={type(self.mechanism).__name__} in layer {self.path!r}. Leave one out."
            )

    def compute_output_shape(self, query_shape: tuple) -> tuple:
        return (*query_shape[:-1], self.output_dim or query_shape[-1])

    def compute_output_spec(
        self,
        query: Tensor,
        mask: Tensor | None = None,
        query_mask: Tensor | None = None,
        attention_mask: Tensor | None = None,
        training: bool | None = None,
        return_attention_scores: bool = False,
        attention_bias: Tensor | None = None,
    ) -> Any:
        self.check(query, mask, query_mask, attention_mask, attention_bias)
        return self._spec(query, query.shape[1], return_attention_scores)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "causal": self.causal,
            "window": self.window,
            "position": strategy.config_of(self.position),
            "mechanism": strategy.config_of(self.mechanism),
        }
