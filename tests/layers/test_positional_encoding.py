"""Positional encoding: cases for the contract, rows that stay distinct."""

import numpy as np
import pytest

import keras_attention as ka
from tests.backend import to_numpy
from tests.contracts import Case

CASES = [
    Case(
        layer=ka.layers.PositionalEncoding,
        config={},
        inputs={"inputs": ("T", 7)},
        masks={"mask": "inputs"},
        stateless=True,
    ),
    Case(
        layer=ka.layers.PositionalEncoding,
        config={"kind": "learned", "max_length": 8, "scale_inputs": True},
        inputs={"inputs": ("T", 6)},
        masks={"mask": "inputs"},
    ),
    Case(
        layer=ka.layers.PositionalEncoding,
        config={},
        inputs={"inputs": ("T", 5, 7)},
        stateless=True,
    ),
    Case(
        layer=ka.layers.PositionalEncoding,
        config={"kind": "learned", "max_length": (8, 5)},
        inputs={"inputs": ("T", 5, 7)},
    ),
]


@pytest.mark.parametrize("policy", ["float32", "bfloat16", "mixed_bfloat16", "float16"])
def test_positions_do_not_lose_rows(policy):
    """In bfloat16 angles, 2048 positions have 641 rows."""
    layer = ka.layers.PositionalEncoding(dtype=policy)
    rows = to_numpy(layer(np.zeros((1, 2048, 64), "float32")))[0]
    assert len(np.unique(rows, axis=0)) == 2048
