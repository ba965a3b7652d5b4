"""Token embedding: cases for the contract, one table both ways, and masks in every form."""

import keras
import numpy as np
import pytest

import keras_attention as ka
from keras_attention.layers import TokenEmbedding
from tests.backend import to_numpy
from tests.contracts import Case


def token_ids(rng, shape, _):
    return rng.integers(0, 9, shape).astype("int32")


CASES = [
    Case(
        layer=TokenEmbedding,
        config={"input_dim": 9, "output_dim": 8, "mask_zero": mask_zero},
        inputs={"inputs": ("T",)},
        values={"inputs": token_ids},
    )
    for mask_zero in (False, True)
]
IDS = np.array([[3, 4, 0], [5, 0, 0]], "int32")


def test_one_table_both_ways():
    layer = CASES[0].make()
    (table,) = map(to_numpy, layer.weights)
    x = layer(IDS)
    np.testing.assert_array_equal(to_numpy(x), table[IDS])
    np.testing.assert_allclose(to_numpy(layer(x, reverse=True)), table[IDS] @ table.T, atol=1e-5)


@pytest.mark.parametrize("quantization", [None, "int8"])
def test_masks_pass_both_ways(quantization):
    for case in CASES:
        layer = case.make()
        if quantization:
            layer.quantize(quantization)
        x = layer(ka.layers.Tokenizer()(IDS))
        for output in (x, layer(x, reverse=True)):
            np.testing.assert_array_equal(to_numpy(output._keras_mask), IDS != 0)
        x = layer(IDS)
        assert (getattr(x, "_keras_mask", None) is not None) == layer.mask_zero


@pytest.mark.parametrize("quantization", [None, "int8"])
def test_a_tied_model_in_every_form(quantization, tmp_path):
    """The table is one variable, also of a file, and padding on the left changes nothing."""
    ids = keras.Input((None,), dtype="int32", name="token_ids")
    embedding = TokenEmbedding(9, 8, name="embedding")
    x = embedding(ka.layers.Tokenizer(name="tokenizer")(ids))
    x = ka.layers.TransformerBlock(2, 16, causal=True, name="block")(x)
    model = keras.Model(ids, embedding(x, reverse=True))
    assert sum(9 in variable.shape for variable in model.variables) == 1
    if quantization:
        model.quantize(quantization)
    model.save(tmp_path / "model.keras")
    loaded = ka.load_model(tmp_path / "model.keras")
    assert len(loaded.variables) == len(model.variables)
    expected = to_numpy(model(IDS[:1, :2]))
    padded = np.array([[0, 0, 3, 4]], "int32")
    for each in (model, loaded):
        np.testing.assert_allclose(to_numpy(each(padded))[:, 2:], expected, atol=1e-5)
