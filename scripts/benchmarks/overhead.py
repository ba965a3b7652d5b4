"""The cost of one call of a layer on a tiny input, operation by operation."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import keras

import keras_attention as ka
from benchmarks import inputs, peers
from benchmarks.case import Case, Peer, Run

BATCH, LENGTH, WIDTH, HEADS = 1, 4, 16, 2
NATIVE = {"torch": "nn.MultiheadAttention", "jax": "native", "tensorflow": "native"}


def cases(*, scale: str) -> Iterator[Case]:
    backend = keras.backend.backend()
    x = inputs.normal(BATCH, LENGTH, WIDTH)
    yield Case(
        name=f"eager call, B{BATCH} T{LENGTH} D{WIDTH} H{HEADS}",
        ours=partial(_ours, x),
        peers=[
            Peer(
                name="keras",
                make=partial(_of_keras, x),
                reach={"milliseconds": 0.25} if backend == "torch" else {},
            ),
            Peer(name=NATIVE[backend], make=partial(peers.eager_self_attention, x, heads=HEADS)),
        ],
        memory=False,
    )


def _ours(x: Any) -> Run:
    layer = ka.layers.MultiHeadSelfAttention(HEADS)
    return peers.eager(layer, x)


def _of_keras(x: Any) -> Run:
    layer = keras.layers.MultiHeadAttention(HEADS, WIDTH // HEADS)
    return peers.eager(lambda x: layer(x, x), x)
