"""The decoder block of the encoder-decoder transformer."""

from typing import Any

import keras

from keras_attention.layers.attention.multi_head_cross_attention import MultiHeadCrossAttention
from keras_attention.layers.blocks.transformer_block import TransformerBlock
from keras_attention.layers.entrance import tensors
from keras_attention.ops import checks, masks
from keras_attention.types import Bool, Float, Tensor


@keras.saving.register_keras_serializable(package="keras_attention")
class TransformerDecoderBlock(TransformerBlock):
    """Causal self-attention, cross-attention to a memory, feed-forward network.

    Vaswani et al., 2017 (https://arxiv.org/abs/1706.03762), section 3.1, "Decoder". For a
    decoder without a memory use `TransformerBlock(causal=True)`.

    Args:
        num_heads, intermediate_dim and all others: as in `TransformerBlock`; `causal` is `True`
            by default. The cross-attention has the same heads.

    Call arguments:
        query: `(B, T, D)`, the decoder's sequence.
        value: `(B, S, D_v)`, the memory.
        query_mask: `(B, T)` boolean padding mask of `query`.
        value_mask: `(B, S)` boolean padding mask of `value`.
        attention_mask: of the self-attention, broadcastable to `(B, T, T)` or `(B, N, T, T)`.
        attention_bias: of the self-attention, as in `TransformerBlock`.
        cross_attention_mask: broadcastable to `(B, T, S)` or `(B, N, T, S)`.
        training: whether to drop.

    Output:
        `(B, T, D)`.
    """

    takes = tensors(query="(B, T, D)", value="(B, S, D_v)", attention_bias="(..., T, U)")

    def __init__(
        self, num_heads: int, intermediate_dim: int, *, causal: bool = True, **kwargs: Any
    ) -> None:
        super().__init__(num_heads, intermediate_dim, causal=causal, **kwargs)
        self.cross_attention = MultiHeadCrossAttention(name="cross_attention", **self._heads)
        self.cross_attention_norm = self._make_norm("cross_attention_norm")

    def build(self, query_shape: tuple, value_shape: tuple) -> None:
        super().build(query_shape)
        self.cross_attention.build(query_shape, value_shape)
        self.cross_attention_norm.build(query_shape)

    def call(
        self,
        query: Float[Tensor, "B T D"],
        value: Float[Tensor, "B S D_v"],
        query_mask: Bool[Tensor, "B T"] | None = None,
        value_mask: Bool[Tensor, "B S"] | None = None,
        attention_mask: Bool[Tensor, "B N T T"] | None = None,
        cross_attention_mask: Bool[Tensor, "B N T S"] | None = None,
        training: bool | None = None,
        attention_bias: Float[Tensor, "B N T T"] | None = None,
    ) -> Float[Tensor, "B T D"]:
        self.attention.check(query, None, query_mask, attention_mask, attention_bias)
        self._check_memory(query, value, value_mask, cross_attention_mask)

        def attend(x: Tensor) -> Tensor:
            output, _ = self.attention.attend(
                x, query_mask, attention_mask, training, attention_bias=attention_bias
            )
            return output

        def cross_attend(x: Tensor) -> Tensor:
            memory = self.cross_attention.remember(value, mask=value_mask)
            output, _ = self.cross_attention.attend(
                x, memory, query_mask, cross_attention_mask, training
            )
            return output

        def feed_forward(x: Tensor) -> Tensor:
            return self.feed_forward.transform(x, training)

        x = masks.zero_masked(query, query_mask)
        x = self._residual(x, attend, self.attention_norm, training)
        x = self._residual(x, cross_attend, self.cross_attention_norm, training)
        return self._residual(x, feed_forward, self.feed_forward_norm, training)

    def _check_memory(
        self,
        query: Tensor,
        value: Tensor,
        value_mask: Tensor | None,
        cross_attention_mask: Tensor | None,
    ) -> None:
        checks.sequence_mask("value_mask", value_mask, "value", value.shape)
        batch, length, _ = query.shape
        shape = (batch, self.attention.num_heads, length, value.shape[1])
        checks.attention_mask(cross_attention_mask, shape)

    def compute_output_shape(self, query_shape: tuple, value_shape: tuple) -> tuple:
        return tuple(query_shape)

    def compute_output_spec(
        self,
        query: Tensor,
        value: Tensor,
        query_mask: Tensor | None = None,
        value_mask: Tensor | None = None,
        attention_mask: Tensor | None = None,
        cross_attention_mask: Tensor | None = None,
        training: bool | None = None,
        attention_bias: Tensor | None = None,
    ) -> keras.KerasTensor:
        self._check_memory(query, value, value_mask, cross_attention_mask)
        return super().compute_output_spec(
            query,
            query_mask=query_mask,
            attention_mask=attention_mask,
            training=training,
            attention_bias=attention_bias,
        )
