"""Every model of the zoo passes the checks, in every form that Keras saves."""

import importlib
import pkgutil

import keras
import numpy as np
import pytest

import keras_attention as ka
import zoo
from tests.backend import to_numpy

NAMES = [
    module.name
    for module in pkgutil.iter_modules(zoo.__path__)
    if hasattr(importlib.import_module(f"zoo.{module.name}"), "VARIANTS")
]


def built(name):
    """The model in its test size, and inputs for it."""
    module = importlib.import_module(f"zoo.{name}")
    model = getattr(module, name)(**module.VARIANTS["tiny"])
    rng = np.random.default_rng(0)
    inputs = [
        rng.random((2, *(size or 5 for size in x.shape[1:])), "float32") for x in model.inputs
    ]
    return model, inputs[0] if len(inputs) == 1 else inputs


@pytest.mark.parametrize("quantization", [None, "int8"])
@pytest.mark.parametrize("name", NAMES)
def test_accepted(name, quantization, tmp_path):
    model, inputs = built(name)
    if quantization:
        model.quantize(quantization)
        assert any("int8" in str(variable.dtype) for variable in model.variables)
    expected = to_numpy(model(inputs))
    ka.save_model(model, tmp_path / "model.keras")
    for load in (ka.load_model, keras.saving.load_model):
        found = to_numpy(load(tmp_path / "model.keras")(inputs))
        np.testing.assert_array_equal(found, expected)


def test_a_folder_is_loaded_like_a_file(tmp_path):
    model, inputs = built("iris")
    model.save(tmp_path / "model", zipped=False)
    (tmp_path / "model" / "README.md").write_text("A model card.")
    found = to_numpy(ka.load_model(tmp_path / "model")(inputs))
    np.testing.assert_array_equal(found, to_numpy(model(inputs)))


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
