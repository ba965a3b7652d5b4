"""The feed-forward network: cases for the contract."""

import keras_attention as ka
from tests.contracts import Case

CASES = [
    Case(
        layer=ka.layers.FeedForward,
        config={"intermediate_dim": 12, "activation": activation},
        inputs={"inputs": ("T", 8)},
        masks={"mask": "inputs"},
        dropout={"dropout": 0.5},
    )
    for activation in ("gelu", "relu", "swiglu", "geglu")
]
