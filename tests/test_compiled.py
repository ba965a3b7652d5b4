"""Functions compiled for a model are kept as long as the model is what it was, and no longer."""

import keras
import pytest

import keras_attention as ka
from keras_attention import kernels
from keras_attention.kernels import compiled_for

pytestmark = pytest.mark.runs_on("torch")


def model():
    inputs = keras.Input((None, 8))
    x = ka.layers.TransformerBlock(2, 16, name="block")(inputs)
    return keras.Model(inputs, keras.layers.Dense(8, name="head")(x))


def test_kept():
    one, other = model(), model()
    functions = compiled_for(one)
    one(keras.ops.ones((1, 3, 8)))
    one.get_layer("head").trainable = False  # inference is the same
    for variable in one.variables:
        variable.assign(variable * 2)
    assert compiled_for(one) is functions
    assert compiled_for(other) is not functions


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.get_layer("head").enable_lora(2),
        lambda m: m.get_layer("head").quantize("int8"),
        lambda m: setattr(m.get_layer("head"), "dtype_policy", "mixed_bfloat16"),
        lambda m: setattr(m.get_layer("head"), "activation", keras.activations.tanh),
        lambda m: setattr(m.get_layer("block").attention, "window", 3),
    ],
    ids=["variables", "quantized", "policy", "activation", "setting"],
)
def test_not_kept(change):
    changed = model()
    functions = compiled_for(changed)
    change(changed)
    assert compiled_for(changed) is not functions


def test_another_branch_is_compiled_anew():
    one = model()
    functions = compiled_for(one)
    with kernels.forced("explicit"):
        assert compiled_for(one) is not functions
