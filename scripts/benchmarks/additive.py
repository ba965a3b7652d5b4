"""Additive attention, beside Keras's, which has no projections; and steps of a decoder."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import keras

import keras_attention as ka
from benchmarks import inputs, peers
from benchmarks.case import Case, Peer, Run

# batch, query length, key length, width; units are as many as the width
SIZES = {
    "quick": [(2, 80, 80, 32)],
    "cpu": [(8, 256, 256, 128)],
    "gpu": [(8, 256, 256, 128), (8, 1024, 1024, 256)],
}
# At most, beside Keras's layer, by backend and direction, at T 256.
REACH = {
    ("torch", "forward"): {"time": 1 / 2.5},
    ("jax", "forward"): {"time": 1 / 4},
    ("tensorflow", "forward"): {"time": 1 / 1.4},
    ("torch", "training"): {"time": 1 / 1.8, "memory": 1 / 5},
    ("jax", "training"): {"time": 1 / 2.4, "memory": 1 / 5},
    ("tensorflow", "training"): {"time": 1 / 1.8},
}


def cases(*, scale: str) -> Iterator[Case]:
    for size in SIZES[scale]:
        batch, length, key_length, width = size
        query, value = inputs.normal(batch, length, width), inputs.normal(batch, key_length, width)
        named = f"B{batch} T{length} S{key_length} D{width}"
        for direction in ("forward", "training"):
            reach = REACH[keras.backend.backend(), direction] if length == 256 else {}
            run = getattr(peers, direction)
            yield Case(
                name=f"{direction}, {named}",
                ours=partial(_ours, run, query, value),
                peers=[Peer(name="keras", make=partial(_of_keras, run, query, value), reach=reach)],
            )
        step = query[:, :1]
        yield Case(
            name=f"step of a decoder, {named}",
            ours=partial(_step, step, value, projected=True),
            peers=[
                Peer(
                    name="ours, keys projected anew",
                    make=partial(_step, step, value, projected=False),
                    reach={} if scale == "quick" else {"time": 1.0},
                )
            ],
        )


def _ours(run: Any, query: Any, value: Any) -> Run:
    layer = ka.layers.BahdanauAttention(query.shape[-1])
    layer.build(query.shape, value.shape)
    return run(lambda query, value: layer(query, value), query, value, layer=layer)


def _of_keras(run: Any, query: Any, value: Any) -> Run:
    layer = keras.layers.AdditiveAttention()
    layer.build([query.shape, value.shape])
    return run(lambda query, value: layer([query, value]), query, value, layer=layer)


def _step(query: Any, value: Any, *, projected: bool) -> Run:
    layer = ka.layers.BahdanauAttention(query.shape[-1])
    layer.build(query.shape, value.shape)
    key = layer.project_key(value) if projected else None

    def call(query: Any, value: Any, key: Any) -> Any:
        return layer(query, value, projected_key=key)

    return peers.forward(call, query, value, key, layer=layer)
