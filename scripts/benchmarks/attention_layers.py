"""Self-attention of ours and of Keras, ready to run."""

from typing import Any

import keras

import keras_attention as ka
from benchmarks import peers
from benchmarks.case import Run


def ours(x: Any, mask: Any = None, *, heads: int, train: bool, **settings: Any) -> Run:
    """Returns a run of `MultiHeadSelfAttention(heads, **settings)`, with gradients if `train`."""
    layer = ka.layers.MultiHeadSelfAttention(heads, **settings)
    layer.build(x.shape)
    run = peers.training if train else peers.forward
    return run(lambda x, mask: layer(x, mask=mask, training=train), x, mask, layer=layer)


def of_keras(
    x: Any, mask: Any = None, *, heads: int, train: bool, causal: bool = False, dropout: float = 0.0
) -> Run:
    """Returns a run of `keras.layers.MultiHeadAttention` on the same."""
    layer = keras.layers.MultiHeadAttention(heads, x.shape[-1] // heads, dropout=dropout)
    layer.build(x.shape, x.shape)

    def call(x: Any, mask: Any) -> Any:
        return layer(x, x, value_mask=mask, use_causal_mask=causal, training=train)

    return (peers.training if train else peers.forward)(call, x, mask, layer=layer)


def size_name(batch: int, length: int, width: int, heads: int) -> str:
    """Returns a size as it stands in results."""
    return f"B{batch} T{length} D{width} H{heads}"
