"""Attention weights of a whole encoder, beside its explicit pass and layers that return them."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import keras

import keras_attention as ka
from benchmarks import inputs, peers
from benchmarks.case import Case, Peer, Run
from keras_attention import kernels
from keras_attention.explain.maps.attention_maps import attention_maps

# layers, batch, length, width, heads
SIZES = {
    "quick": (2, 1, 32, 32, 2),
    "cpu": (12, 1, 512, 128, 4),
    "gpu": (12, 8, 512, 512, 8),
}
TWICE = {"time": 2.0}


def cases(*, scale: str) -> Iterator[Case]:
    size = SIZES[scale]
    layers, batch, length, width, heads = size
    model = _encoder(*size)
    x = inputs.normal(batch, length, width)
    name = f"{layers} layers, B{batch} T{length} D{width} H{heads}"
    explicit = Peer(
        name="explicit pass, no weights", make=partial(_explicit, model, x), reach=TWICE
    )
    returned = Peer(
        name="explicit pass, weights returned",
        make=partial(_explicit, _encoder(*size, returning=True), x),
        reach={"time": 2.0, "memory": 2.0},
    )
    plain = Peer(name="plain pass", make=partial(peers.eager, model, x))
    yield Case(
        name=f"capture, {name}",
        ours=partial(peers.eager, partial(_capture, model), x),
        peers=[explicit, returned, plain],
    )
    yield Case(
        name=f"attention_maps, checked and in NumPy, {name}",
        ours=lambda: lambda: attention_maps(model, x),
        peers=[explicit, returned, plain],
    )
    yield Case(
        name=f"attention_maps of 1 query, {name}",
        ours=lambda: lambda: attention_maps(model, x, queries=-1),
        peers=[explicit, plain],
    )


def _encoder(
    layers: int, batch: int, length: int, width: int, heads: int, *, returning: bool = False
) -> keras.Model:
    """Returns attention and feed-forward layers with residuals, with all weights if `returning`."""
    inputs = keras.Input((length, width))
    x, weights = inputs, []
    for _ in range(layers):
        attention = ka.layers.MultiHeadSelfAttention(heads)
        y = keras.layers.LayerNormalization()(x)
        if returning:
            y, of_layer = attention(y, return_attention_scores=True)
            weights.append(of_layer)
        else:
            y = attention(y)
        x = x + y
        x = x + ka.layers.FeedForward(4 * width)(keras.layers.LayerNormalization()(x))
    return keras.Model(inputs, [x, *weights])


def _capture(model: keras.Model, x: Any) -> Any:
    with ka.capture() as maps:
        return model(x, training=False), dict(maps)


def _explicit(model: keras.Model, x: Any) -> Run:
    def call(x: Any) -> Any:
        with kernels.forced("explicit"):
            return model(x, training=False)

    return peers.eager(call, x)
