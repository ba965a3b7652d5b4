"""Rotary embedding: cases for the contract, distances alone, rows that stay distinct."""

import numpy as np
import pytest

import keras_attention as ka
from tests.backend import to_numpy
from tests.contracts import Case

CASES = [
    Case(
        layer=ka.layers.RotaryEmbedding,
        config=config,
        inputs={"x": (2, "T", 8)},
        stateless=True,
    )
    for config in (
        {},
        {"interleaved": True, "fraction": 0.5},
        {"scaling": "linear", "factor": 4.0},
        {"scaling": "ntk", "factor": 4.0},
    )
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_dot_products_depend_on_the_distance_alone(case):
    rng = np.random.default_rng(0)
    q, k = np.broadcast_to(rng.normal(size=(2, 1, 1, 1, 8)), (2, 1, 1, 9, 8)).astype("float32")
    layer = case.make()
    products = to_numpy(layer(q))[0, 0] @ to_numpy(layer(k))[0, 0].T  # (T, S)
    for distance in range(-8, 9):
        diagonal = np.diagonal(products, distance)
        np.testing.assert_allclose(diagonal, diagonal[0], atol=1e-5)
    assert np.ptp(products[0]) > 0.1


@pytest.mark.parametrize("policy", ["bfloat16", "mixed_bfloat16", "float16"])
def test_positions_do_not_lose_rows(policy):
    layer = ka.layers.RotaryEmbedding(dtype=policy)
    rows = to_numpy(layer(np.ones((1, 1, 2048, 64), "float32")))[0, 0]
    assert len(np.unique(rows, axis=0)) == 2048
