"""Block-sparse, linear and windowed attention up to T 65536, beside dense and native attention."""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from typing import Any

from keras import ops

import keras_attention as ka
from benchmarks import inputs, peers
from benchmarks.case import Case, Peer
from keras_attention.layers.attention.mechanism import MechanismLayer
from keras_attention.ops.attention import dot_product_attention
from keras_attention.ops.visibility import Band

# Squares, for windows. Dense attention takes minutes on a CPU where it is left out.
LENGTHS = {"quick": [256], "cpu": [4096, 16384, 65536], "gpu": [4096, 16384, 65536]}
DENSE = {"quick": 256, "cpu": 16384, "gpu": 65536}  # the longest
HEADS, HEAD_DIM, BLOCK = 1, 64, 64
MECHANISMS = {
    "block-sparse": (ka.layers.BlockSparseAttention(BLOCK, seed=0), True),
    "linear": (ka.layers.LinearAttention(), True),
    "windows": (ka.layers.ShiftedWindowAttention(8, shift=4), False),
}
GROWTH = {"time": 5.0, "memory": 4.4}  # from T / 4 to T: linear


def cases(*, scale: str) -> Iterator[Case]:
    for (name, (mechanism, causal)), train in product(MECHANISMS.items(), (False, True)):
        run = peers.training if train else peers.forward
        dense = partial(dot_product_attention, causal=causal)
        for length in LENGTHS[scale]:
            qkv, quarter = (_inputs(size) for size in (length, length // 4))
            ours = partial(_of(mechanism), causal=causal)
            others = {"ours at T / 4": partial(run, ours, *quarter)}
            if length <= DENSE[scale]:
                others["dense"] = partial(run, dense, *qkv)
            native = _native(name, mechanism, length, train)
            others |= {peer: partial(run, call, *qkv) for peer, call in native.items()}
            yield Case(
                name=f"{name}, {'training' if train else 'forward'}, "
                f"{'causal' if causal else 'not causal'}, B1 T{length} N{HEADS} H{HEAD_DIM}",
                ours=partial(run, ours, *qkv),
                peers=[
                    Peer(name=peer, make=make, reach=_reach(peer, length))
                    for peer, make in others.items()
                ],
            )


def _native(name: str, mechanism: MechanismLayer, length: int, train: bool) -> dict[str, Callable]:
    """Returns the same in the backend's own operations, by name."""
    if name == "linear":
        return peers.long.linear_attention()
    if name == "windows":
        return {}
    count = length // BLOCK
    pattern = mechanism.pattern(Band(causal=True), memory=None)
    blocks, counts = pattern.key_blocks(ops.arange(count, dtype="int32")[None], count)
    lists = ops.convert_to_numpy(ops.where(counts, blocks, count))[0]
    return peers.long.listed_attention(lists, BLOCK, length=length, train=train)


def _reach(peer: str, length: int) -> dict[str, float]:
    if peer != "ours at T / 4":
        return {"time": 1.0} if length >= 4096 else {}
    return GROWTH if length >= 65536 else {}


def _inputs(length: int) -> list[Any]:
    return [inputs.normal(1, HEADS, length, HEAD_DIM, seed=seed) for seed in range(3)]


def _of(mechanism: MechanismLayer) -> Any:
    if not mechanism.built:
        mechanism.build(*[(1, HEADS, None, HEAD_DIM)] * 3)
    return mechanism.call
