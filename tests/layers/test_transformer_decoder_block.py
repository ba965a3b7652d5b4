"""The decoder block: cases for the contract."""

import keras_attention as ka
from tests.contracts import Case

CASES = [
    Case(
        layer=ka.layers.TransformerDecoderBlock,
        config={"num_heads": 4, "intermediate_dim": 20, **config},
        inputs={"query": ("T", 16), "value": ("S", 10)},
        masks={"query_mask": "query", "value_mask": "value"},
        dropout={"dropout": 0.4},
        causal=True,
        hears=("query_kernel", "query_bias"),
        silent=("key_bias",),
    )
    for config in (
        {},
        {"norm_first": False, "norm": "rms", "activation": "geglu", "scale": 1.0},
    )
]
