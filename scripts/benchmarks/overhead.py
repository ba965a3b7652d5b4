"""The cost of one call of a layer on a tiny input, operation by operation."""

from collections.abc import Iterator
from functools import cache, partial
from typing import Any

import keras
import numpy as np
from keras import ops

import keras_attention as ka
from benchmarks import inputs, peers
from benchmarks.case import Case, Peer, Run
from benchmarks.models import require_same

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
    if backend == "torch":  # the others compile
        for name, mask in (("no mask", None), ("mask", np.arange(16)[None] < 12)):
            yield Case(
                name=f"block, {name}, B1 T16 D64",
                ours=partial(_block, mask),
                peers=[
                    Peer(
                        name="plain torch",
                        make=partial(_block_of_torch, mask),
                        reach={"time": 2.0 if mask is None else 2.5},
                    )
                ],
                memory=False,
            )


def _ours(x: Any) -> Run:
    layer = ka.layers.MultiHeadSelfAttention(HEADS)
    return peers.eager(layer, x)


def _of_keras(x: Any) -> Run:
    layer = keras.layers.MultiHeadAttention(HEADS, WIDTH // HEADS)
    return peers.eager(lambda x: layer(x, x), x)


@cache
def _transformer_block() -> keras.Layer:
    keras.utils.set_random_seed(0)
    layer = ka.layers.TransformerBlock(4, 256)
    layer.build((None, None, 64))
    return layer


def _features() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((1, 16, 64), dtype="float32")


def _block(mask: np.ndarray | None) -> Run:
    layer, x = _transformer_block(), ops.convert_to_tensor(_features())
    mask = None if mask is None else ops.convert_to_tensor(mask)
    return peers.forward(lambda x: layer(x, mask=mask), x, layer=layer)


def _block_of_torch(mask: np.ndarray | None) -> Run:
    from benchmarks.peers import plain_torch

    masks = [] if mask is None else [mask[:, None, None]]
    run = plain_torch.forward(plain_torch.Block(_transformer_block(), 64), _features(), *masks)
    seen = slice(None) if mask is None else mask
    require_same(run()[seen], _block(mask)()[seen])
    return run
