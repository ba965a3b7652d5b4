"""Calls without what Keras does around each: they return what Keras's call returns, masks too, and
leave to Keras what is not like a call before."""

from contextlib import nullcontext

import keras
import numpy as np
import pytest
from keras import ops

import keras_attention as ka
from keras_attention.layers import plain_call
from tests.backend import to_numpy
from tests.layers.test_contract import FIRST

pytestmark = pytest.mark.only_on("torch")


@pytest.fixture
def plain(monkeypatch):
    """The layers that are called plainly, in their order."""
    layers, call = [], plain_call.call

    def noting(layer, *args):
        layers.append(layer)
        return call(layer, *args)

    monkeypatch.setattr(plain_call, "call", noting)
    return layers


@pytest.fixture
def by_keras(monkeypatch):
    """Returns what a function returns if Keras does all around each call."""

    def run(function):
        with monkeypatch.context() as patch:
            patch.setattr(plain_call, "applies", lambda layer: False)
            return function()

    return run


def block(**config):
    return ka.layers.TransformerBlock(2, 8, **config)


def tensor(*shape):
    return ops.convert_to_tensor(np.random.default_rng(0).standard_normal(shape, dtype="float32"))


def mask():
    return ops.convert_to_tensor(np.array([[True, True, False], [True, False, False]]))


@pytest.mark.parametrize("case", FIRST.values(), ids=lambda case: case.layer.__name__)
def test_a_layer_computes_and_masks_what_it_does_by_keras(case, by_keras):
    layer, data = case.make(), case.data()
    for arrays in (data, {**data, **case.padding(data)}):
        given = {key: ops.convert_to_tensor(x) for key, x in arrays.items()}
        layer(**given)
        expected, found = by_keras(lambda given=given: layer(**given)), layer(**given)
        for a, b in zip(keras.tree.flatten(expected), keras.tree.flatten(found), strict=True):
            np.testing.assert_array_equal(to_numpy(a), to_numpy(b))
            masks_of = [getattr(x, "_keras_mask", None) for x in (a, b)]
            assert (masks_of[0] is None) == (masks_of[1] is None)
            if masks_of[0] is not None:
                np.testing.assert_array_equal(*map(to_numpy, masks_of))


def test_the_second_call_of_a_shape_is_plain(plain):
    layer = block()
    for length in (3, 3, 4, 4):
        layer(tensor(2, length, 4))
    layer(tensor(2, 3, 4), mask=mask())
    assert plain == [layer] * 2


def test_what_is_refused_once_is_refused_again():
    layer = block()
    layer(tensor(2, 3, 4))
    for _ in range(2):
        with pytest.raises(ValueError, match="which the layer was built for"):
            layer(tensor(2, 3, 5))
        with pytest.raises(ValueError, match="`mask` must be boolean"):
            layer(tensor(2, 3, 4), mask=ops.cast(mask(), "float32"))


def test_numbers_that_are_converted_are_converted_each_time():
    layer = block()
    whole = ops.ones((2, 3, 4), dtype="int32")
    expected = to_numpy(layer(ops.ones((2, 3, 4))))
    for _ in range(2):
        np.testing.assert_array_equal(to_numpy(layer(whole)), expected)


def test_the_mask_of_a_tensor_reaches_the_layers_behind(plain):
    ids = np.array([[3, 4, 0], [5, 0, 0]], "int32")
    tokens = keras.Input((None,), dtype="int32")
    embedding = ka.layers.TokenEmbedding(6, 4, mask_zero=True)
    outer = keras.Model(tokens, block()(block()(embedding(tokens))))
    outer(ids)
    known = len(plain)
    found = outer(ids)
    assert len(plain) > known
    np.testing.assert_array_equal(to_numpy(found._keras_mask), ids != 0)
    changed = outer(np.where(ids == 0, 0, ids))  # rows of padding attend to nothing
    np.testing.assert_array_equal(to_numpy(found), to_numpy(changed))


def test_training_is_that_of_the_call_around():
    class Outer(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.block = block(dropout=0.5)

        def call(self, x):
            return self.block(x)

    outer, x = Outer(), tensor(2, 3, 4)
    expected = to_numpy(outer(x))
    for _ in range(2):
        assert np.abs(to_numpy(outer(x, training=True)) - expected).max() > 1e-3
        np.testing.assert_array_equal(to_numpy(outer(x)), expected)
        np.testing.assert_array_equal(to_numpy(outer(x, training=False)), expected)


def test_hooks_of_pytorch_run(plain):
    layer, x, seen = block(), tensor(2, 3, 4), []
    layer(x)
    layer.register_forward_hook(lambda module, args, output: seen.append(output))
    output = layer(x)
    assert plain == [layer]
    assert seen[0] is output


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "bfloat16"])
def test_a_layer_in_16_bits_is_left_to_keras(policy, plain):
    layer, x = block(dtype=policy), tensor(2, 3, 4)
    assert [str(layer(x).dtype) for _ in range(2)] == ["torch.bfloat16"] * 2
    assert not plain


def test_a_layer_in_32_bits_inside_of_another_in_16_keeps_them(plain):
    class Outer(keras.layers.Layer):
        def __init__(self):
            super().__init__(dtype="mixed_bfloat16")
            self.block = block(dtype="float32")

        def call(self, x):
            return self.block(ops.cast(x, "float32"))

    outer, x = Outer(), tensor(2, 3, 4)
    expected = to_numpy(outer(x))
    inner = to_numpy(outer.block(ops.cast(ops.cast(x, "bfloat16"), "float32")))
    np.testing.assert_array_equal(expected, inner)
    np.testing.assert_array_equal(to_numpy(outer(x)), expected)


def test_weights_of_a_stateless_scope_are_used(plain):
    layer, x = block(), tensor(2, 3, 4)
    expected = to_numpy(layer(x))
    zeros = [ops.zeros_like(v) for v in layer.trainable_variables]
    others = [v.value for v in layer.non_trainable_variables]
    output, _ = layer.stateless_call(zeros, others, x)
    np.testing.assert_array_equal(to_numpy(output), to_numpy(x))
    np.testing.assert_array_equal(to_numpy(layer(x)), expected)


def test_losses_are_those_of_the_last_call():
    layer, x = block(), tensor(2, 3, 4)
    layer(x)
    layer.feed_forward.add_loss(ops.ones(()))
    layer(x)
    assert layer.losses == []


def test_what_keras_says_of_an_error_is_said(by_keras, plain):
    layer, x = block(), tensor(2, 3, 4)
    words = ops.ones((2, 4), "bool")  # whose shape is refused by `call`
    layer(x)
    x._keras_mask = words

    def message(context=nullcontext):
        with pytest.raises(ValueError, match="must have shape") as error, context():
            layer(x)
        return str(error.value)

    assert message() == by_keras(message)
    assert plain == [layer]
