"""Scaled dot products of long sequences, beside Keras's operation and the backend's own."""

from collections.abc import Iterator
from functools import partial
from itertools import product
from typing import Any

import keras
from keras import ops

from benchmarks import inputs, peers
from benchmarks.case import Case, Peer
from keras_attention.ops.attention import dot_product_attention

LENGTHS = {"quick": [256], "cpu": [2048, 4096, 8192], "gpu": [4096, 8192, 16384]}
HEADS, HEAD_DIM = 8, 64
GROWTH = {"memory": 2.2}  # from T / 2 to T: linear
# Of the forward pass at T 2048, by backend and causality, beside Keras's operation.
FORWARD_TIME = {
    ("jax", False): 1 / 1.8,
    ("jax", True): 1 / 1.8,
    ("tensorflow", False): 1 / 1.15,
    ("tensorflow", True): 1 / 1.9,
}


def cases(*, scale: str) -> Iterator[Case]:
    for length, causal, train in product(LENGTHS[scale], (False, True), (False, True)):
        qkv, half = (
            [inputs.normal(1, HEADS, size, HEAD_DIM, seed=seed) for seed in range(3)]
            for size in (length, length // 2)
        )
        if scale == "cpu" and train and length > 4096:
            continue  # minutes a call, for a peer that keeps T x S
        run = peers.training if train else peers.forward
        ours = partial(dot_product_attention, causal=causal)
        reach = _reach(length, causal, train)
        yield Case(
            name=f"{'training' if train else 'forward'}, "
            f"{'causal' if causal else 'not causal'}, B1 T{length} N{HEADS} H{HEAD_DIM}",
            ours=partial(run, ours, *qkv),
            peers=[
                Peer(
                    name="native",
                    make=partial(run, partial(peers.dot_product_attention, causal=causal), *qkv),
                    reach=reach["native"],
                ),
                Peer(
                    name="keras",
                    make=partial(_of_keras, *qkv, causal=causal, train=train),
                    reach=reach["keras"],
                ),
                Peer(name="ours at T / 2", make=partial(run, ours, *half), reach=reach["half"]),
            ],
        )


def _reach(length: int, causal: bool, train: bool) -> dict[str, dict[str, float]]:
    backend = keras.backend.backend()
    if length < 2048:
        return {"native": {}, "keras": {}, "half": {}}
    if backend == "torch":
        return {"native": {"time": 1.0}, "keras": {}, "half": {}}
    if train:
        return {"native": {}, "keras": {"time": 1.3}, "half": GROWTH}
    forward = {"memory": 1 / 5}
    if length == 2048:
        forward["time"] = FORWARD_TIME[backend, causal]
    return {"native": {}, "keras": forward, "half": GROWTH}


def _of_keras(query: Any, key: Any, value: Any, *, causal: bool, train: bool) -> Any:
    """`keras.ops.dot_product_attention`, on tensors in the layout that it takes."""
    qkv = [ops.transpose(x, (0, 2, 1, 3)) for x in (query, key, value)]  # (B, T, N, H)
    call = partial(ops.dot_product_attention, is_causal=causal)
    return (peers.training if train else peers.forward)(call, *qkv)
