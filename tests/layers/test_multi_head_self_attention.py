"""Multi-head self-attention: cases for the contract."""

from dataclasses import replace

import keras_attention as ka
from keras_attention import kernels
from tests.backend import BACKEND
from tests.contracts import Case


def case(causal=False, silent=("key_bias",), branch=None, **config):
    return Case(
        layer=ka.layers.MultiHeadSelfAttention,
        config={"num_heads": 4, "causal": causal, **config},
        inputs={"query": ("T", 16)},
        masks={"mask": "query"},
        dropout={"dropout": 0.5},
        outer_mask=True,
        causal=causal,
        scores=True,
        hears=("query_kernel", "query_bias"),
        silent=silent,
        branch=branch,
    )


# A rotated key bias, a normalised key and a key bias against q . a^K are no longer the same
# for every key.
CASES = [
    case(),
    case(causal=True),
    case(num_kv_heads=1, output_dim=12, head_dim=6),
    case(num_kv_heads=2, causal=True, window=3, use_bias=False),
    case(window=2, qk_norm=True, silent=()),
    case(position="rotary", causal=True, silent=()),
    case(position="relative_bias", scale=1.0),
    case(position="alibi", causal=True, use_bias=("query", "value", "output"), silent=()),
    case(position=ka.layers.ShawRelativePosition(max_distance=2)),
]
sparse = ka.layers.BlockSparseAttention(2, window_blocks=0, random_blocks=1, seed=1)
# The order of a grid is that of its case alone, so it has no padding.
WINDOWS = Case(
    layer=ka.layers.MultiHeadSelfAttention,
    config={
        "num_heads": 4,
        "num_kv_heads": 2,
        "mechanism": ka.layers.ShiftedWindowAttention(2, shift=1, grid=(2, 3)),
    },
    inputs={"query": (6, 16)},
    lengths=(6,),
    dropout={"dropout": 0.5},
    silent=("key_bias",),
)
CASES += [
    case(mechanism=sparse, num_kv_heads=2),
    replace(case(mechanism="linear", causal=True, silent=()), dropout={}),
    WINDOWS,
]
# The branches that such short sequences do not take by themselves.
CASES += [
    case(branch=name, num_kv_heads=2, causal=True, window=3, position="alibi")
    for name in kernels.BRANCHES
    if name != {"torch": "fused"}.get(BACKEND, "explicit")
]
