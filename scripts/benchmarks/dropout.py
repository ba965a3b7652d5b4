"""Self-attention with dropout, beside Keras's layer and our own without."""

from collections.abc import Iterator
from functools import partial
from itertools import product

import keras

from benchmarks import attention_layers, inputs
from benchmarks.case import Case, Peer
from benchmarks.self_attention import SIZES

RATE = 0.1
# By backend, direction and length: at most, beside Keras's layer and beside no dropout.
REACH = {
    ("torch", "inference", 128): ({"time": 1 / 2}, {"memory": 2.0}),
    ("torch", "inference", 1024): ({"time": 1 / 3}, {"memory": 2.0}),
    ("torch", "training", 128): ({"time": 1 / 1.1, "memory": 1.0}, {}),
    ("torch", "training", 1024): ({"time": 1 / 1.1, "memory": 1.0}, {}),
}


def cases(*, scale: str) -> Iterator[Case]:
    for size, train in product(SIZES[scale], (False, True)):
        batch, length, width, heads = size
        direction = "training" if train else "inference"
        x = inputs.normal(batch, length, width)
        run = {"heads": heads, "train": train}
        of_keras, without = REACH.get((keras.backend.backend(), direction, length), ({}, {}))
        yield Case(
            name=f"{direction}, {attention_layers.size_name(*size)}",
            ours=partial(attention_layers.ours, x, **run, dropout=RATE),
            peers=[
                Peer(
                    name="keras",
                    make=partial(attention_layers.of_keras, x, **run, dropout=RATE),
                    reach=of_keras,
                ),
                Peer(
                    name="ours without dropout",
                    make=partial(attention_layers.ours, x, **run),
                    reach=without,
                ),
            ],
        )
