"""Bias: cases for the contract, and the sum."""

import numpy as np

import keras_attention as ka
from tests.backend import to_numpy
from tests.contracts import Case

CASES = [Case(layer=ka.layers.Bias, config={}, inputs={"inputs": ("T", 8)})]


def test_the_bias_is_added_to_the_last_axis():
    layer, x = CASES[0].make(), CASES[0].data()["inputs"]
    np.testing.assert_allclose(to_numpy(layer(x)), x + to_numpy(layer.bias), atol=1e-6)
    assert tuple(layer.bias.shape) == (8,)


def test_a_new_bias_changes_nothing():
    x = np.ones((2, 1, 3), "float32")
    np.testing.assert_array_equal(to_numpy(ka.layers.Bias()(x)), x)
