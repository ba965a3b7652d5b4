"""Class and register tokens: cases for the contract, the mask they add to."""

import keras
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


def test_behind_a_masked_embedding_in_a_functional_model():
    ids = keras.Input((None,), dtype="int32")
    x = keras.layers.Embedding(9, 8, mask_zero=True)(ids)
    x = ka.layers.ClassToken(num_registers=1)(x)
    model = keras.Model(ids, ka.layers.TransformerBlock(2, 16, position="rotary")(x)[:, 0])
    unpadded = to_numpy(model(np.array([[3, 5, 2]])))
    padded = to_numpy(model(np.array([[3, 5, 2, 0, 0], [1, 1, 1, 1, 1]])))[:1]
    np.testing.assert_allclose(padded, unpadded, atol=1e-6)
