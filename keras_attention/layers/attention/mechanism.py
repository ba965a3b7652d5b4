"""What self-attention computes instead of dense attention: the interface behind its `mechanism`
argument."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import keras

from keras_attention.layers import strategy
from keras_attention.layers.entrance import Entrance, tensors
from keras_attention.ops import attention, checks, masks

if TYPE_CHECKING:
    from keras_attention.layers.attention.multi_head_self_attention import MultiHeadSelfAttention


class Mechanism(Entrance, keras.layers.Layer):
    """Base of the mechanisms of `MultiHeadSelfAttention`, in time and memory linear in T.

    A mechanism is a value: each attention layer keeps a copy of its own, built for queries, keys
    and values of shape `(B, N, T, H)`. It overrides what it changes. Called by itself it attends
    without projections.
    """

    takes = tensors(query="(B, N, T, H)", key="(B, K, T, H)", value="(B, K, T, H)")

    recurrent = False  # whether a cache keeps a state of `summed` instead of keys and values

    def check(self, layer: "MultiHeadSelfAttention") -> None:
        """Raises `ValueError` for settings of an attention layer that it has no place for."""
        name = type(self).__name__
        if layer.window is not None:
            raise ValueError(
                "`window` is of dense attention. Received: "
                f"window={layer.window}, mechanism={name}. Leave it out, or leave out `mechanism`."
            )
        if layer.position is not None and layer.position.needs_logits:
            raise ValueError(
                f"`{name}` never holds T x S logits. Received: position="
                f"{type(layer.position).__name__}, which adds to them. Pass position='rotary', or "
                "add absolute positions before the layer, with `PositionalEncoding`."
            )

    def attend(
        self,
        query: Any,
        key: Any,
        value: Any,
        *,
        causal: bool,
        mask: Any = None,
        scale: float | None = None,
        dropout: float = 0.0,
        seed: Any = None,
        state: Any = None,
    ) -> Any:
        """Attention `(B, N, T, H)` on `(B, K, T, H)`, without its weights.

        `mask` is the padding mask of the keys, `(B, T)`; what a masked query yields is up to it.
        `state`, of `summed`, is what came before, if recurrent.
        """
        raise NotImplementedError

    def summed(self, key: Any, value: Any, mask: Any) -> Any:
        """What is kept of keys and values, `(B, ...)`; the sum of two is of both."""
        raise NotImplementedError

    def attention_weights(
        self, query: Any, key: Any, *, mask: Any, scale: float | None, rows: Any = None
    ) -> Any:
        """The weights `(B, N, T, S)` themselves; `mask` is all that is to be masked.

        `rows` tells which queries these are, if not all.
        """
        return attention.attention_weights(query, key, mask=mask, scale=scale)

    def sees(self, query_positions: Any, key_positions: Any, *, causal: bool, mask: Any) -> Any:
        """Who may see whom, broadcastable to `(B, N, T, S)`; `mask` is that of the keys."""
        order = masks.causal_mask(query_positions, key_positions, causal)
        return None if order is None else order[None, None]

    def build(self, query_shape: tuple, key_shape: tuple, value_shape: tuple) -> None:
        self._check(query_shape, key_shape, value_shape)
        self.built = True

    def call(self, query: Any, key: Any, value: Any, causal: bool = False) -> Any:
        self._check(query.shape, key.shape, value.shape)
        return self.attend(query, key, value, causal=causal)

    def _check(self, query_shape: tuple, key_shape: tuple, value_shape: tuple) -> None:
        checks.rank("query", query_shape, "(B, N, T, H)")
        checks.rank("key", key_shape, "(B, K, T, H)")
        checks.matches("value", value_shape, key_shape, "(B, K, T, H)")
        checks.same_size("key", key_shape, "query", query_shape, axis=2, what="length")
        checks.divisible("query heads", query_shape[1], "key heads", key_shape[1])

    def compute_output_shape(
        self, query_shape: tuple, key_shape: tuple, value_shape: tuple
    ) -> tuple:
        return tuple(query_shape)

    def compute_output_spec(
        self, query: Any, key: Any, value: Any, causal: bool = False
    ) -> keras.KerasTensor:
        self._check(query.shape, key.shape, value.shape)
        return keras.KerasTensor(query.shape, dtype=self.compute_dtype)


def copy_of(mechanism: Any) -> Mechanism | None:
    """The mechanism that is named: `None`, a name, a layer or a layer's config."""
    from keras_attention import layers  # the mechanisms subclass what this file defines

    named: dict[str, Callable[[], Mechanism]] = {
        "block_sparse": layers.BlockSparseAttention,
        "linear": layers.LinearAttention,
        "shifted_window": layers.ShiftedWindowAttention,
    }
    return strategy.copy_of(mechanism, named, Mechanism, "mechanism")
