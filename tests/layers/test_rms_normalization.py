"""RMSNorm: cases for the contract, the paper's equation 4, and the mask."""

import numpy as np

from keras_attention.layers import RMSNormalization
from tests.backend import to_numpy
from tests.contracts import Case, WithMask

CASES = [Case(layer=RMSNormalization, config={"epsilon": 1e-5}, inputs={"inputs": ("T", 8)})]


def test_as_in_the_paper():
    layer, x = CASES[0].make(), CASES[0].data()["inputs"]
    (gain,) = map(to_numpy, layer.weights)
    expected = x / np.sqrt(np.square(x).mean(axis=-1, keepdims=True) + 1e-5) * gain
    np.testing.assert_allclose(to_numpy(layer(x)), expected, atol=1e-5)


def test_the_mask_passes():
    mask = np.arange(6)[None] < np.array([[6], [4], [1]])
    output = CASES[0].make()(WithMask()([CASES[0].data()["inputs"], mask]))
    np.testing.assert_array_equal(to_numpy(output._keras_mask), mask)
