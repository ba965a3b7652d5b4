"""The interface behind the `mechanism` argument of self-attention."""

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import keras
from keras import ops

from keras_attention import kernels, scope
from keras_attention.layers.entrance import Entrance, tensors
from keras_attention.ops import attention, checks
from keras_attention.ops.softmax import PLAIN, Softmax
from keras_attention.ops.visibility import NOWHERE, Band, Pattern, Span, Visibility
from keras_attention.types import Bool, Float, Tensor

if TYPE_CHECKING:
    from keras_attention.layers.attention.multi_head_self_attention import MultiHeadSelfAttention


class Memory(NamedTuple):
    """Keys and values to attend to.

    Attributes:
        key, value: `(B, K, S, H)`.
        mask: `(B, S)`, or `None`.
        span: the positions of the keys.
        aligned: whether these are the keys of the call itself, one for each query.
        past: whether no key is known to come after a query, so that none is left to hide.
        state: what a mechanism that sums its keys knows of those before these.
        relative: what disentangled attention knows of the distances to the keys.
    """

    key: Float[Tensor, "B K S H"]
    value: Float[Tensor, "B K S H"]
    mask: Bool[Tensor, "B S"] | None = None
    span: Span = NOWHERE
    aligned: bool = False
    past: bool = False
    state: Float[Tensor, "B K H U"] | None = None
    relative: Any = None


class Mechanism:
    """How queries attend to keys and values, and what a cache keeps of these.

    It overrides what it changes. By itself it attends by weights, and keeps all keys and values.
    """

    takes_bias = False  # whether logits may be given a bias, which only dense attention holds

    def check(self, layer: "MultiHeadSelfAttention") -> None:
        """Raises `ValueError` for settings of an attention layer that it has no place for."""

    def build(self, query_shape: tuple, key_shape: tuple, value_shape: tuple) -> None:
        """Makes what it learns, if anything."""

    # A cache

    def begin(self, slot: scope.Slot, memory: Memory) -> None:
        """Stores the keys and values of a prompt, with room for more."""
        room = [0, slot.cache.max_length - ops.shape(memory.key)[2]]
        mask = memory.mask
        slot.write(
            key=ops.pad(memory.key, [[0, 0], [0, 0], room, [0, 0]]),
            value=ops.pad(memory.value, [[0, 0], [0, 0], room, [0, 0]]),
            mask=None if mask is None else ops.pad(mask, [[0, 0], room], constant_values=True),
        )

    def resume(self, slot: scope.Slot, memory: Memory) -> Memory:
        """Stores the keys and values of a step, and returns them behind all that came before."""
        cache, state = slot.cache, slot.read()
        store = partial(kernels.store, start=cache.index, in_place=cache.in_place)
        key, value = store(state["key"], memory.key), store(state["value"], memory.value)
        mask = state.get("mask")
        if memory.mask is not None:
            if mask is None:
                mask = ops.ones((ops.shape(key)[0], key.shape[2]), "bool")
            mask = store(mask, memory.mask, axis=1)
        slot.write(key=key, value=value, mask=mask)
        # All that is filled, if its size may depend on the index: then nothing is after a query.
        length = ops.shape(memory.key)[2]
        end = kernels.count_filled(cache.index, length) if cache.in_place else None
        key, value = key[:, :, :end], value[:, :, :end]
        return Memory(
            key,
            value,
            None if mask is None else mask[:, :end],
            Span(key.shape[2]),
            past=end is not None and length == 1,
        )

    # Attention

    def pattern(self, band: Band, memory: Memory) -> Pattern:
        """Returns who sees whom by position, where the settings of the layer say `band`."""
        return Band(band.causal and not memory.past, band.window)

    def needs_weights(self, visibility: Visibility) -> bool:
        """Returns whether it can attend by weights alone: by default, it has no other way."""
        return True

    def attend(
        self,
        query: Float[Tensor, "B N T H"],
        memory: Memory,
        visibility: Visibility,
        softmax: Softmax,
    ) -> Float[Tensor, "B N T H"]:
        """Returns attention without its weights; what a masked query gets is up to it."""
        raise NotImplementedError

    def attention_weights(
        self,
        query: Float[Tensor, "B N T H"],
        memory: Memory,
        visibility: Visibility,
        scale: float,
    ) -> Float[Tensor, "B N T S"]:
        """Returns the weights, in float32 at least."""
        return attention.attention_weights(query, memory.key, mask=visibility.mask(), scale=scale)

    def apply_weights(
        self, weights: Float[Tensor, "B N T S"], memory: Memory, visibility: Visibility
    ) -> Float[Tensor, "B N T H"]:
        """Returns attention by weights that were dropped, nudged or recorded."""
        return attention.weighted_sum(weights, memory.value)


class MechanismLayer(Mechanism, Entrance, keras.layers.Layer):
    """Base of the mechanisms that are layers, in time and memory linear in T.

    Such a mechanism is a value: each attention layer keeps a copy of its own, built for queries,
    keys and values of shape `(B, N, T, H)`. Called by itself it attends without projections.
    """

    takes = tensors(query="(B, N, T, H)", key="(B, K, T, H)", value="(B, K, T, H)")

    def check(self, layer: "MultiHeadSelfAttention") -> None:
        name = type(self).__name__
        if layer.window is not None:
            raise ValueError(
                "`window` is of dense attention. Received: "
                f"window={layer.window}, mechanism={name}. Leave it out, or leave out `mechanism`."
            )
        if layer.position.needs_logits:
            raise ValueError(
                f"`{name}` never holds T x S logits. Received: position="
                f"{type(layer.position).__name__}, which adds to them. Pass position='rotary', or "
                "add absolute positions before the layer, with `PositionalEncoding`."
            )

    def needs_weights(self, visibility: Visibility) -> bool:
        # A mask of T x S leaves nothing to save, and a step sees all that is in the cache.
        return visibility.explicit is not None or not visibility.aligned

    def build(self, query_shape: tuple, key_shape: tuple, value_shape: tuple) -> None:
        self._check(query_shape, key_shape, value_shape)
        self.built = True

    def call(self, query: Tensor, key: Tensor, value: Tensor, causal: bool = False) -> Tensor:
        self._check(query.shape, key.shape, value.shape)
        span = Span(ops.shape(query)[2])
        memory = Memory(key, value, span=span, aligned=True)
        visibility = Visibility.of(
            self.pattern(Band(causal), memory), queries=span, keys=span, aligned=True
        )
        return self.attend(query, memory, visibility, PLAIN)

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
        self, query: Tensor, key: Tensor, value: Tensor, causal: bool = False
    ) -> keras.KerasTensor:
        self._check(query.shape, key.shape, value.shape)
        return keras.KerasTensor(query.shape, dtype=self.compute_dtype)
