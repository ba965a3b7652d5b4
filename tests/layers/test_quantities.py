"""Quantities: cases for the contract, and units."""

import numpy as np
import pytest

import keras_attention as ka
from tests.contracts import Case

CASES = [
    Case(
        layer=ka.layers.Quantities,
        config={"names": ["price", "area"], "offset": [5.0, 1.0], "scale": [2.0, 0.5]},
        inputs={"outputs": ("T", 2)},
        stateless=True,
    )
]


def test_outputs_get_names_and_units():
    layer = ka.layers.Quantities(["price (USD)", "area"], [5, 1], np.array([2, 0.5]))
    assert layer.decode(np.array([[1.0, -2.0], [0.0, 0.0]])) == [
        {"price (USD)": 7.0, "area": 0.0},
        {"price (USD)": 5.0, "area": 1.0},
    ]
    (series,) = layer.decode(np.ones((1, 4, 2)))
    np.testing.assert_array_equal(series["area"], [1.5] * 4)


def test_sizes_must_fit():
    with pytest.raises(ValueError, match=r"same number of entries, at least 1. Received: 2, 1 and"):
        ka.layers.Quantities(["a", "b"], [0.0])
    with pytest.raises(ValueError, match="a number for each of a, b"):
        ka.layers.Quantities(["a", "b"]).decode(np.zeros((2, 3)))


def test_scores_are_shares():
    layer = ka.layers.Quantities(["score"], activation="sigmoid")
    scores = [answer["score"] for answer in layer.decode(np.array([[0.0], [2.0], [-800.0]]))]
    np.testing.assert_allclose(scores, [0.5, 1 / (1 + np.exp(-2)), 0])
    assert ka.layers.Quantities.from_config(layer.get_config()).activation == "sigmoid"
