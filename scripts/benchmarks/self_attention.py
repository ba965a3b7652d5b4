"""Self-attention with every kind of mask, beside native code and Keras's layer."""

from collections.abc import Iterator
from functools import partial
from itertools import product

import keras

from benchmarks import attention_layers, inputs, peers
from benchmarks.case import Case, Peer

# batch, length, width, heads
SIZES = {
    "quick": [(2, 32, 64, 4)],
    "cpu": [(32, 128, 256, 8), (4, 1024, 512, 8)],
    "gpu": [(32, 128, 256, 8), (4, 1024, 512, 8), (2, 4096, 1024, 16), (1, 16384, 1024, 16)],
}
MASKS = {  # padding, causal
    "no mask": (False, False),
    "padding": (True, False),
    "causal": (False, True),
    "padding and causal": (True, True),
}
# Time at most, by backend, peer, length, direction where it matters.
REACH = {
    ("torch", "native", 128): 1.10,
    ("torch", "native", 1024): 1.10,
    ("torch", "keras", 128, "forward"): 1 / 1.3,
    ("jax", "native", 128): 1.0,
    ("jax", "native", 1024): 0.7,
    ("tensorflow", "keras", 128): 1.0,
    ("tensorflow", "keras", 1024): 1.0,
}


def cases(*, scale: str) -> Iterator[Case]:
    for size, train, (masks, (padded, causal)) in product(
        SIZES[scale], (False, True), MASKS.items()
    ):
        batch, length, width, heads = size
        direction = "training" if train else "forward"
        x = inputs.normal(batch, length, width)
        mask = inputs.padding_mask(batch, length) if padded else None
        run = {"heads": heads, "causal": causal, "train": train}
        peers_of = {"native": peers.self_attention, "keras": attention_layers.of_keras}
        yield Case(
            name=f"{direction}, {masks}, {attention_layers.size_name(*size)}",
            ours=partial(attention_layers.ours, x, mask, **run),
            peers=[
                Peer(
                    name=name,
                    make=partial(make, x, mask, **run),
                    reach=_reach(name, length, direction),
                )
                for name, make in peers_of.items()
            ],
        )


def _reach(peer: str, length: int, direction: str) -> dict[str, float]:
    key = (keras.backend.backend(), peer, length)
    bound = REACH.get(key) or REACH.get((*key, direction))
    return {"time": bound} if bound else {}
