"""Bahdanau's attention: cases for the contract, keys projected once."""

import numpy as np

import keras_attention as ka
from tests.backend import to_numpy
from tests.contracts import Case

CASES = [
    Case(
        layer=ka.layers.BahdanauAttention,
        config={"units": 8},
        inputs={"query": ("T", 10), "value": ("S", 6)},
        masks={"query_mask": "query", "value_mask": "value"},
        dropout={"dropout": 0.5},
        outer_mask=True,
        scores=True,
        hears=("vector",),
    )
]


def test_projected_keys_can_be_reused():
    (case,) = CASES
    layer, data = case.make(), case.data()
    mask = case.padding(data)["value_mask"]
    expected = layer(**data, value_mask=mask)
    keys = layer.project_key(data["value"], mask)
    for t in range(6):
        query = data["query"][:, t : t + 1]
        step = layer(query, data["value"], projected_key=keys, value_mask=mask)
        np.testing.assert_allclose(to_numpy(step)[:, 0], to_numpy(expected)[:, t], atol=1e-6)
