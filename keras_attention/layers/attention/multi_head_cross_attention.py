"""Multi-head cross-attention."""

from typing import Any

import keras
from keras import ops

from keras_attention import scope
from keras_attention.layers.attention.multi_head_attention import MultiHeadAttention
from keras_attention.layers.entrance import tensors
from keras_attention.ops import checks, masks


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

    def build(self, query_shape: tuple, value_shape: tuple, key_shape: tuple | None = None) -> None:
        key_shape = key_shape or value_shape
        for name, shape in (("query", query_shape), ("value", value_shape), ("key", key_shape)):
            checks.rank(name, shape, "(B, T, D)" if name == "query" else "(B, S, D)")
            checks.known(name, shape)
        self._build_projections(query_shape[-1], key_shape[-1], value_shape[-1])
        self.built = True

    def call(
        self,
        query: Any,
        value: Any,
        key: Any = None,
        query_mask: Any = None,
        value_mask: Any = None,
        key_mask: Any = None,
        attention_mask: Any = None,
        training: bool | None = None,
        return_attention_scores: bool = False,
    ) -> Any:
        self._check(query, value, key, query_mask, value_mask, key_mask, attention_mask)
        output, weights = self.attend(
            masks.zero_masked(query, query_mask),
            value,
            key,
            query_mask,
            masks.both(value_mask, key_mask),
            attention_mask,
            training,
            return_weights=return_attention_scores,
        )
        return (output, weights) if return_attention_scores else output

    def attend(
        self,
        x: Any,
        value: Any,
        key: Any = None,
        query_mask: Any = None,
        memory_mask: Any = None,
        attention_mask: Any = None,
        training: bool | None = None,
        *,
        return_weights: bool = False,
    ) -> tuple[Any, Any]:
        """What `call` does once its arguments are checked and masked queries are finite.

        For blocks, which have seen to both: it skips what Keras does around every call.
        """
        (q,) = self._project(x, "query")
        k, v, memory_mask = self._memory(value, key, memory_mask)
        visible = query_mask
        if memory_mask is not None and attention_mask is None:
            visible = masks.both(ops.any(memory_mask, axis=-1)[:, None], query_mask)
        return self._attend(
            q,
            k,
            v,
            query_mask=query_mask,
            key_mask=memory_mask,
            attention_mask=attention_mask,
            visible=visible,
            training=training,
            return_weights=return_weights,
        )

    def _memory(self, value: Any, key: Any, mask: Any) -> tuple[Any, Any, Any]:
        """Projected keys and values and their mask, from the cache if it holds them."""
        cache = scope.current_cache()
        slot = None if cache is None else cache.slot(self)
        if slot is not None and slot.filled:
            state = slot.read()
            return state["key"], state["value"], state.get("mask")
        x = masks.zero_masked(value, mask)
        if key is None:
            k, v = self._project(x, "key", "value")
        else:
            (k,) = self._project(masks.zero_masked(key, mask), "key")
            (v,) = self._project(x, "value")
        if slot is not None:
            slot.write(key=k, value=v, **({} if mask is None else {"mask": mask}))
        return k, v, mask

    def _check(
        self,
        query: Any,
        value: Any,
        key: Any,
        query_mask: Any,
        value_mask: Any,
        key_mask: Any,
        attention_mask: Any,
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
        query: Any,
        value: Any,
        key: Any = None,
        query_mask: Any = None,
        value_mask: Any = None,
        key_mask: Any = None,
        attention_mask: Any = None,
        training: bool | None = None,
        return_attention_scores: bool = False,
    ) -> Any:
        self._check(query, value, key, query_mask, value_mask, key_mask, attention_mask)
        return self._spec(query, value.shape[1], return_attention_scores)
