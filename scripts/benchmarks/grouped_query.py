"""Eight heads on two key and value heads, beside eight on eight and beside repeating them."""

from collections.abc import Iterator
from functools import partial
from itertools import product
from typing import Any

from keras import ops

from benchmarks import attention_layers, inputs, peers
from benchmarks.case import Case, Peer
from benchmarks.self_attention import SIZES
from keras_attention.ops.attention import dot_product_attention

KV_HEADS = 2


def cases(*, scale: str) -> Iterator[Case]:
    reach = {} if scale == "quick" else {"time": 1.0}
    for size, train in product(SIZES[scale], (False, True)):
        batch, length, width, heads = size
        direction = "training" if train else "forward"
        run = peers.training if train else peers.forward
        layer = partial(
            attention_layers.ours, inputs.normal(batch, length, width), heads=heads, train=train
        )
        yield Case(
            name=f"layer, {direction}, {attention_layers.size_name(*size)}",
            ours=partial(layer, num_kv_heads=KV_HEADS),
            peers=[Peer(name="ours, multi-head", make=layer, reach=reach)],
        )
        qkv = [
            inputs.normal(batch, n, length, width // heads, seed=seed)
            for seed, n in enumerate((heads, KV_HEADS, KV_HEADS))
        ]
        yield Case(
            name=f"operation, {direction}, {attention_layers.size_name(*size)}",
            ours=partial(run, dot_product_attention, *qkv),
            peers=[
                Peer(
                    name="ours, keys repeated",
                    make=partial(run, partial(_repeated, groups=heads // KV_HEADS), *qkv),
                    reach=reach,
                )
            ],
        )


def _repeated(query: Any, key: Any, value: Any, *, groups: int) -> Any:
    key, value = (ops.repeat(x, groups, axis=1) for x in (key, value))  # (B, N, S, H)
    return dot_product_attention(query, key, value)
