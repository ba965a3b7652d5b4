"""How self-attention knows about positions: the interface behind its `position` argument."""

from collections.abc import Callable
from functools import partial
from typing import Any

import keras

from keras_attention.layers import strategy
from keras_attention.layers.entrance import Entrance


class PositionStrategy(Entrance, keras.layers.Layer):
    """Base of the position strategies of `MultiHeadSelfAttention`.

    A strategy is a value: each attention layer keeps a copy of its own, built for queries of
    shape `(B, N, T, H)`. It overrides what it changes. Positions are integer vectors, `(T,)`
    for queries and `(S,)` for keys, offset by the index of a cache scope.
    """

    needs_logits = False  # whether it has a `bias`, which only dense attention has a place for
    needs_weights = False  # whether `context` must be asked, which rules out a fused kernel

    def rotate(self, x: Any, positions: Any) -> Any:
        """Changes queries `(B, N, T, H)` and keys `(B, K, S, H)`."""
        return x

    def bias(self, query: Any, query_positions: Any, key_positions: Any) -> Any:
        """Added to the logits, broadcastable to `(B, N, T, S)`; `None` for nothing."""
        return None

    def context(self, weights: Any, query_positions: Any, key_positions: Any) -> Any:
        """Added to the attention's output: `(B, N, T, H)`, where `needs_weights`."""
        return None


def copy_of(position: Any, *, causal: bool) -> PositionStrategy | None:
    """The strategy that `position` names: `None`, a name, a layer or a layer's config."""
    from keras_attention import layers  # the strategies subclass what this file defines

    named: dict[str, Callable[[], PositionStrategy]] = {
        "rotary": layers.RotaryEmbedding,
        "relative_bias": partial(layers.RelativePositionBias, bidirectional=not causal),
        "alibi": layers.ALiBi,
        "shaw": layers.ShawRelativePosition,
    }
    return strategy.copy_of(position, named, PositionStrategy, "position")
