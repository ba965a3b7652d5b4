"""Multi-head self-attention: cases for the contract."""

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
    case(position="alibi", causal=True),
    case(position=ka.layers.ShawRelativePosition(max_distance=2)),
]
# The branches that such short sequences do not take by themselves.
CASES += [
    case(branch=name, num_kv_heads=2, causal=True, window=3, position="alibi")
    for name in kernels.BRANCHES
    if name != {"torch": "fused"}.get(BACKEND, "explicit")
]
