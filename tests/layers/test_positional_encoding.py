"""Positional encoding: cases for the contract, rows that stay distinct."""

import numpy as np
import pytest
from keras import ops

import keras_attention as ka
from keras_attention import kernels
from tests.backend import BACKEND, to_numpy
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


def stepped(layer, index):
    """The encoding of one element after a prompt of 3, by the index of the cache scope."""
    with ka.cache(max_length=8) as cache:
        layer(np.zeros((2, 3, 6), "float32"))
    with ka.cache(cache.state, index=index):
        return layer(np.zeros((2, 1, 6), "float32"))


def test_a_learned_table_has_an_end():
    """A step beyond it is an error, and in compiled code, which cannot raise, no number."""
    layer = ka.layers.PositionalEncoding("learned", 4)
    layer.build((None, None, 6))
    table = to_numpy(layer.weights[0])

    def one(index):
        return ops.convert_to_tensor(index, "int32")

    for index in (3, one(3)):
        np.testing.assert_array_equal(to_numpy(stepped(layer, index))[:, 0], table[[3, 3]])
    for index in (4, one(4), 100):
        with pytest.raises(ValueError, match="`inputs` must be at most max_length=4 in the layer"):
            stepped(layer, index)
    if BACKEND != "torch":  # which compiles nothing
        step = kernels.compile(lambda index: stepped(layer, index))
        np.testing.assert_array_equal(to_numpy(step(one(3)))[:, 0], table[[3, 3]])
        assert np.isnan(to_numpy(step(one(4)))).all()


@pytest.mark.only_on("tensorflow")
@pytest.mark.parametrize("masked", [False, True])
def test_a_length_that_a_graph_does_not_know(masked):
    import tensorflow as tf

    layer = ka.layers.PositionalEncoding("learned", 4)
    layer.build((None, None, 6))
    arrays = [(np.zeros((1, t, 6), "float32"), np.ones((1, t), bool)) for t in (4, 5)]
    signature = [tf.TensorSpec((None, None, 6), "float32"), tf.TensorSpec((None, None), "bool")]

    def call(x, mask):
        return layer(x, mask=mask if masked else None)

    graph = tf.function(call, input_signature=signature)
    np.testing.assert_array_equal(graph(*arrays[0])[0], layer.weights[0])
    with pytest.raises(tf.errors.InvalidArgumentError, match="must be at most max_length=4"):
        graph(*arrays[1])
    output = tf.function(call, input_signature=signature, jit_compile=True)(*arrays[1])
    np.testing.assert_array_equal(output[0, :4], layer.weights[0])
    assert np.isnan(output[0, 4]).all()
