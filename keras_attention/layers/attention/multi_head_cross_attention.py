"""Multi-head cross-attention."""

from typing import Any

import keras
from keras import ops

from keras_attention import scope
from keras_attention.layers.attention.dense_attention import DenseAttention
from keras_attention.layers.attention.mechanism import Memory
from keras_attention.layers.attention.multi_head_attention import MultiHeadAttention
from keras_attention.layers.entrance import tensors
from keras_attention.ops import checks, masks
from keras_attention.ops.visibility import EVERYTHING, Visibility
from keras_attention.types import Bool, Float, Tensor


@keras.saving.register_keras_serializable(package="keras_attention")
class MultiHeadCrossAttention(MultiHeadAttention):
    """Multi-head attention from one sequence to another (https://arxiv.org/abs/1706.03762).

    Section 3.2.3 of Vaswani et al., 2017, "encoder-decoder attention". Unlike
    `keras.layers.MultiHeadAttention` it leaves the masks of its inputs alone, so a second
    layer on the same encoder output still sees the padding. Inside a cache scope keys and
    values are projected once, in the prefill.

    Args:
        num_heads, head_dim, num_kv_heads, output_dim, dropout, use_bias, qk_norm, scale,
        kernel_initializer, bias_initializer, seed: as in `MultiHeadSelfAttention`; the default
            `head_dim` and `output_dim` come from the query's width.

    Call arguments:
        query: `(B, T, D_q)`.
        value: `(B, S, D_v)`.
        key: `(B, S, D_k)`; `value` if `None`.
        query_mask: `(B, T)` boolean; a masked query attends to nothing.
        value_mask, key_mask: `(B, S)` boolean, ANDed.
        attention_mask: boolean, broadcastable to `(B, T, S)` or `(B, N, T, S)`.
        training: whether to apply dropout.
        return_attention_scores: return the weights as well.

    Output:
        `(B, T, output_dim)`, and `(B, N, T, S)` weights before dropout, in float32 at least, if
        `return_attention_scores=True`.

    Raises:
        ValueError: the query's width is not divisible by `num_heads`, `num_heads` not by
            `num_kv_heads`, key and value differ in length, or a mask has the wrong shape or
            dtype.
    """

    takes = tensors(query="(B, T, D)", value="(B, S, D_v)", key="(B, S, D_k)")
    built_for = ("D", "D_v", "D_k")
    reads = "memory"
    mechanism = DenseAttention()

    def build(self, query_shape: tuple, value_shape: tuple, key_shape: tuple | None = None) -> None:
        key_shape = key_shape or value_shape
        for name, shape in (("query", query_shape), ("value", value_shape), ("key", key_shape)):
            checks.rank(name, shape, "(B, T, D)" if name == "query" else "(B, S, D)")
            checks.known(name, shape)
        self._build_projections(query_shape[-1], key_shape[-1], value_shape[-1])
        self.built = True

    def call(
        self,
        query: Float[Tensor, "B T D"],
        value: Float[Tensor, "B S D_v"],
        key: Float[Tensor, "B S D_k"] | None = None,
        query_mask: Bool[Tensor, "B T"] | None = None,
        value_mask: Bool[Tensor, "B S"] | None = None,
        key_mask: Bool[Tensor, "B S"] | None = None,
        attention_mask: Bool[Tensor, "B N T S"] | None = None,
        training: bool | None = None,
        return_attention_scores: bool = False,
    ) -> Any:
        self._check(query, value, query_mask, value_mask, key_mask, attention_mask)
        memory = self.remember(value, key, masks.both(value_mask, key_mask))
        x = masks.zero_masked(query, query_mask)
        output, weights = self.attend(
            x, memory, query_mask, attention_mask, training, return_weights=return_attention_scores
        )
        return (output, weights) if return_attention_scores else output

    def remember(
        self,
        value: Float[Tensor, "B S D_v"],
        key: Float[Tensor, "B S D_k"] | None = None,
        mask: Bool[Tensor, "B S"] | None = None,
    ) -> Memory:
        """Returns projected keys and values, from the cache if it holds them."""
        slot = scope.slot(self)
        if slot.filled:
            state = slot.read()
            return Memory(state["key"], state["value"], state.get("mask"))
        x = masks.zero_masked(value, mask)
        if key is None:
            k, v = self._project(x, "key", "value")
        else:
            (k,) = self._project(masks.zero_masked(key, mask), "key")
            (v,) = self._project(x, "value")
        slot.write(key=k, value=v, mask=mask)
        return Memory(k, v, mask)

    def attend(
        self,
        x: Float[Tensor, "B T D"],
        memory: Memory,
        query_mask: Bool[Tensor, "B T"] | None = None,
        attention_mask: Bool[Tensor, "B N T S"] | None = None,
        training: bool | None = None,
        *,
        return_weights: bool = False,
    ) -> tuple[Float[Tensor, "B T D"], Float[Tensor, "B N T S"] | None]:
        """Does what `call` does once its arguments are checked, masked queries are finite, and the
        memory is projected by `remember`.

        For blocks, which have seen to all: it skips what Keras does around every call.
        """
        (q,) = self._project(x, "query")
        if memory.mask is not None:  # no query sees a memory that is all padding
            query_mask = masks.both(ops.any(memory.mask, axis=-1)[:, None], query_mask)
        visibility = Visibility.of(
            EVERYTHING,
            query_mask=query_mask,
            key_mask=memory.mask,
            attention_mask=attention_mask,
        )
        y, weights = self._attend(q, memory, visibility, training, return_weights)
        return self._project_output(y, visibility.visible_queries()), weights

    def _check(
        self,
        query: Tensor,
        value: Tensor,
        query_mask: Tensor | None,
        value_mask: Tensor | None,
        key_mask: Tensor | None,
        attention_mask: Tensor | None,
    ) -> None:
        checks.memory_masks(
            query,
            value,
            query_mask=query_mask,
            value_mask=value_mask,
            key_mask=key_mask,
            mask=attention_mask,
            num_heads=self.num_heads,
        )

    def compute_output_shape(
        self, query_shape: tuple, value_shape: tuple, key_shape: tuple | None = None
    ) -> tuple:
        return (*query_shape[:-1], self.output_dim or query_shape[-1])

    def compute_output_spec(
        self,
        query: Tensor,
        value: Tensor,
        key: Tensor | None = None,
        query_mask: Tensor | None = None,
        value_mask: Tensor | None = None,
        key_mask: Tensor | None = None,
        attention_mask: Tensor | None = None,
        training: bool | None = None,
        return_attention_scores: bool = False,
    ) -> Any:
        self._check(query, value, query_mask, value_mask, key_mask, attention_mask)
        return self._spec(query, value.shape[1], return_attention_scores)
