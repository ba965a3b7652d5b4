"""A bias alone: cases for the contract."""

import numpy as np

import keras_attention as ka
from tests.backend import to_numpy
from tests.contracts import Case

CASES = [Case(layer=ka.layers.Bias, config={}, inputs={"inputs": ("T", 8)})]


def test_it_is_added():
    layer = CASES[0].make()
    x = CASES[0].data()["inputs"]
    np.testing.assert_allclose(to_numpy(layer(x)), x + to_numpy(layer.bias), atol=1e-6)
