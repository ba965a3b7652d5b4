"""Multi-head cross-attention: cases for the contract."""

import keras_attention as ka
from tests.contracts import Case


def case(inputs, **config):
    return Case(
        layer=ka.layers.MultiHeadCrossAttention,
        config={"num_heads": 4, **config},
        inputs=inputs,
        masks={"query_mask": "query", "value_mask": "value"},
        dropout={"dropout": 0.5},
        outer_mask=True,
        scores=True,
        hears=("query_kernel", "query_bias"),
        silent=("key_bias",),
    )


CASES = [
    case({"query": ("T", 16), "value": ("S", 10)}),
    case({"query": ("T", 16), "value": ("S", 10)}, num_kv_heads=2, output_dim=7, use_bias=False),
]
