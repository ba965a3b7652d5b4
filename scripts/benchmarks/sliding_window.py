"""A sliding window of long sequences, beside full causal attention and windows in native code."""

from collections.abc import Iterator
from functools import partial
from itertools import product
from typing import Any

from benchmarks import attention_layers, inputs, peers
from benchmarks.case import Case, Peer
from keras_attention.ops.attention import dot_product_attention

# length, window
SIZES = {"quick": (512, 64), "cpu": (8192, 256), "gpu": (16384, 256)}
LENGTHS = {"quick": [512], "cpu": [8192, 16384, 65536], "gpu": [8192, 16384, 65536]}
# The longest that is measured without a window: on a CPU the training of more takes minutes.
FULL = {"quick": 512, "cpu": 8192, "gpu": 65536}
WIDTH, HEADS = 512, 8


def cases(*, scale: str) -> Iterator[Case]:
    length, window = SIZES[scale]
    for train in (False, True):
        x = inputs.normal(1, length, WIDTH)
        layer = partial(attention_layers.ours, heads=HEADS, train=train, causal=True)
        yield Case(
            name=f"layer, {_named(train, length, window)}, D{WIDTH} H{HEADS}",
            ours=partial(layer, x, window=window),
            # Its projections cost the same with and without.
            peers=[Peer(name="ours without window", make=partial(layer, x))],
        )
    for length, train in product(LENGTHS[scale], (False, True)):
        qkv, half = _inputs(length), _inputs(length // 2)
        run = peers.training if train else peers.forward
        full = partial(dot_product_attention, causal=True)
        windowed = partial(full, window=window)
        others = {"ours at T / 2": partial(run, windowed, *half)}
        if length <= FULL[scale]:
            others["ours without window"] = partial(run, full, *qkv)
        native = peers.long.window_attention(window, length=length, train=train)
        others |= {name: partial(run, call, *qkv) for name, call in native.items()}
        yield Case(
            name=f"operation, {_named(train, length, window)}, N{HEADS} H{WIDTH // HEADS}",
            ours=partial(run, windowed, *qkv),
            peers=[
                Peer(
                    name=name,
                    make=make,
                    library=peers.long.LIBRARIES.get(name),
                    reach=_reach(name, scale),
                )
                for name, make in others.items()
            ],
        )


def _inputs(length: int) -> list[Any]:
    return [inputs.normal(1, HEADS, length, WIDTH // HEADS, seed=seed) for seed in range(3)]


def _reach(peer: str, scale: str) -> dict[str, float]:
    if scale == "quick":
        return {}
    known = {"ours without window": {"time": 1 / 6}, "ours at T / 2": {"time": 2.2, "memory": 2.2}}
    return known.get(peer, {"time": 1.0})


def _named(train: bool, length: int, window: int) -> str:
    return f"{'training' if train else 'forward'}, B1 T{length}, window {window}"
