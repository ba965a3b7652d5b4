"""Class and register tokens: cases for the contract, the mask they add to."""

import numpy as np

import keras_attention as ka
from tests.backend import to_numpy
from tests.contracts import Case, WithMask

CASES = [
    Case(
        layer=ka.layers.ClassToken,
        config={"num_registers": registers},
        inputs={"inputs": ("T", 8)},
    )
    for registers in (0, 2)
]


def test_tokens_come_first_and_are_never_masked():
    layer = CASES[1].make()
    x = CASES[1].data()["inputs"]
    mask = np.arange(6)[None] < np.array([[6], [4], [0]])
    output = layer(WithMask()([x, mask]))
    np.testing.assert_array_equal(
        to_numpy(output._keras_mask), np.concatenate([np.ones((3, 3), bool), mask], axis=1)
    )
    np.testing.assert_array_equal(to_numpy(output)[:, 3:], x)
    np.testing.assert_array_equal(to_numpy(output)[1, :3], to_numpy(layer.tokens))
