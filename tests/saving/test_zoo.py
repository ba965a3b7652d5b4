"""Every model of the zoo passes the checks, in every form that Keras saves."""

import keras
import numpy as np
import pytest

import keras_attention as ka
from tests.backend import assert_same_weights, to_numpy, whole
from tests.zoo.models.cases import MODELS, cases_of, mark_of
from tests.zoo.models.contracts import feed

NOT_QUANTIZED = ("gat",)  # which has none of the layers that Keras quantizes
QUANTIZED_EVERYWHERE = ("text_classifier", "vit")  # the rest on the one backend of the model


def built(name):
    """The model in its test size, and inputs for it."""
    case = cases_of(name)[0]
    return case.make(), feed(case.data(batch=2))


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in QUANTIZED_EVERYWHERE else mark_of(name))
        for name in MODELS
    ],
)
def test_quantized(name, tmp_path):
    """As they are, they pass the same in the contract of the zoo."""
    model, inputs = built(name)
    model.quantize("int8")
    int8 = any("int8" in str(variable.dtype) for variable in model.variables)
    assert int8 or name in NOT_QUANTIZED
    ka.save_model(model, tmp_path / "model.keras")
    loaded = ka.load_model(tmp_path / "model.keras")
    output, expected = (to_numpy(whole(each)(inputs)) for each in (loaded, model))
    np.testing.assert_array_equal(output, expected)
    assert_same_weights(keras.saving.load_model(tmp_path / "model.keras"), model)


def test_a_folder_is_loaded_like_a_file(tmp_path):
    model, inputs = built("iris")
    model.save(tmp_path / "model", zipped=False)
    (tmp_path / "model" / "README.md").write_text("A model card.")
    output = to_numpy(ka.load_model(tmp_path / "model")(inputs))
    np.testing.assert_array_equal(output, to_numpy(model(inputs)))


@pytest.mark.parametrize("policy", ["bfloat16", "float16", "mixed_bfloat16"])
def test_every_precision(policy, tmp_path):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        features = keras.Input((6,))
        model = keras.Model(features, keras.layers.Dense(3)(features))
    finally:
        keras.config.set_dtype_policy(before)
    ka.save_model(model, tmp_path / "model.keras")
    loaded = ka.load_model(tmp_path / "model.keras")
    for mine, its in zip(loaded.weights, model.weights, strict=True):
        assert mine.dtype == its.dtype
        np.testing.assert_array_equal(to_numpy(mine), to_numpy(its))
