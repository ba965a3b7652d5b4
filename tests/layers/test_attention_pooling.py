"""Attention pooling: cases for the contract."""

import keras_attention as ka
from tests.contracts import Case

CASES = [
    Case(
        layer=ka.layers.AttentionPooling,
        config=config,
        inputs={"value": ("T", 8)},
        masks={"mask": "value"},
        rows=None,
        dropout={"dropout": 0.5},
        scores=True,
        hears=("context",),
    )
    for config in ({}, {"num_heads": 2, "units": 5})
]
