"""How self-attention knows about positions: the interface behind its `position` argument."""

from collections.abc import Callable
from functools import partial
from typing import Any

import keras


class PositionStrategy(keras.layers.Layer):
    """Base of the position strategies of `MultiHeadSelfAttention`.

    A strategy is a value: each attention layer keeps a copy of its own, built for queries of
    shape `(B, N, T, H)`. It overrides what it changes. Positions are integer vectors, `(T,)`
    for queries and `(S,)` for keys, offset by the index of a cache scope.
    """

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
    if isinstance(position, dict):
        position = keras.saving.deserialize_keras_object(position)
    if position is None:
        return None
    if isinstance(position, PositionStrategy):
        return type(position).from_config(position.get_config())
    if not isinstance(position, str) or position not in named:
        raise ValueError(
            f"`position` must be None, one of {', '.join(map(repr, named))}, or a position layer "
            f"such as `RotaryEmbedding`. Received: position={position!r}"
        )
    return named[position]()


def config_of(position: PositionStrategy | None) -> dict[str, Any] | None:
    """What `copy_of` takes, for `get_config`; the attention layer builds the copy itself."""
    if position is None:
        return None
    config = keras.saving.serialize_keras_object(position)
    config.pop("build_config", None)
    return config
