"""A sliding window of a long sequence, beside full causal attention."""

from collections.abc import Iterator
from functools import partial

from benchmarks import attention_layers, inputs, peers
from benchmarks.case import Case, Peer
from keras_attention.ops.attention import dot_product_attention

# length, window
SIZES = {"quick": (512, 64), "cpu": (8192, 256), "gpu": (16384, 256)}
WIDTH, HEADS = 512, 8


def cases(*, scale: str) -> Iterator[Case]:
    length, window = SIZES[scale]
    reach = {} if scale == "quick" else {"time": 1 / 6}
    growth = {} if scale == "quick" else {"time": 2.2, "memory": 2.2}
    for train in (False, True):
        x = inputs.normal(1, length, WIDTH)
        layer = partial(attention_layers.ours, heads=HEADS, train=train, causal=True)
        yield Case(
            name=f"layer, {_named(train, length, window)}, D{WIDTH} H{HEADS}",
            ours=partial(layer, x, window=window),
            # Its projections cost the same with and without.
            peers=[Peer(name="ours without window", make=partial(layer, x))],
        )
    for train in (False, True):
        qkv, half = (
            [inputs.normal(1, HEADS, size, WIDTH // HEADS, seed=seed) for seed in range(3)]
            for size in (length, length // 2)
        )
        run = peers.training if train else peers.forward
        full = partial(dot_product_attention, causal=True)
        windowed = partial(full, window=window)
        yield Case(
            name=f"operation, {_named(train, length, window)}, N{HEADS} H{WIDTH // HEADS}",
            ours=partial(run, windowed, *qkv),
            peers=[
                Peer(name="ours without window", make=partial(run, full, *qkv), reach=reach),
                Peer(name="ours at T / 2", make=partial(run, windowed, *half), reach=growth),
            ],
        )


def _named(train: bool, length: int, window: int) -> str:
    return f"{'training' if train else 'forward'}, B1 T{length}, window {window}"
