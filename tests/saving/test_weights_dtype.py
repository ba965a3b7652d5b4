"""Files whose matrices are in 16 bits: half as large, and read by every backend."""

import io
import zipfile

import h5py
import keras
import numpy as np
import pytest

import keras_attention as ka
from tests.backend import to_numpy


@pytest.fixture
def model():
    x = keras.Input((4, 32))
    y = ka.layers.TransformerBlock(num_heads=2, intermediate_dim=256)(x)
    return keras.Model(x, keras.layers.Dense(3)(y))


def types_of(path):
    """The type of each array of a file of weights, by its number of axes."""
    with zipfile.ZipFile(path) as archive:
        file = h5py.File(io.BytesIO(archive.read("model.weights.h5")))
    types = []
    file.visititems(lambda _, each: types.append(each) if hasattr(each, "dtype") else None)
    return {(each.ndim > 1, str(each.dtype)) for each in types}


def test_matrices_are_rounded_and_nothing_else(model, tmp_path):
    """Keras's loader reads it too, and all computes in float32 as before."""
    for variable in model.weights:
        variable.assign(np.random.default_rng(0).normal(size=variable.shape))
    wide = ka.save_model(model, tmp_path / "wide.keras")
    path = ka.save_model(model, tmp_path / "narrow.keras", weights_dtype="float16")
    assert types_of(path) == {(True, "float16"), (False, "float32")}
    sizes = [(tmp_path / f"{name}.keras").stat().st_size for name in ("narrow", "wide")]
    assert sizes[0] < sizes[1] - 1.9 * sum(np.prod(w.shape) for w in model.weights if w.ndim > 1)
    for load in (ka.load_model, keras.saving.load_model):
        loaded = load(path)
        for weight, before in zip(loaded.weights, model.weights, strict=True):
            expected = to_numpy(before)
            if expected.ndim > 1:
                expected = expected.astype("float16").astype("float32")
            assert weight.dtype == "float32"
            np.testing.assert_array_equal(to_numpy(weight), expected)
    given = np.random.default_rng(1).normal(size=(2, 4, 32))
    answers = [to_numpy(ka.load_model(file)(given)) for file in (path, wide)]
    np.testing.assert_allclose(*answers, rtol=0.02, atol=0.02 * np.abs(answers[1]).max())


@pytest.mark.runs_on("torch")
def test_a_training_goes_on(model, tmp_path):
    """The optimizer keeps its precision."""
    model.compile("adam", "mse")
    model.fit(np.ones((2, 4, 32)), np.ones((2, 4, 3)), verbose=0)
    path = ka.save_model(model, tmp_path / "x.keras", weights_dtype="float16")
    resumed = ka.load_model(path, resume=True)
    for one, other in zip(resumed.optimizer.variables, model.optimizer.variables, strict=True):
        np.testing.assert_array_equal(to_numpy(one), to_numpy(other))


@pytest.mark.runs_on("torch")
def test_what_16_bits_do_not_hold_is_refused(model, tmp_path):
    model.layers[-1].kernel.assign(np.full((32, 3), 7e4))
    with pytest.raises(ValueError, match=r"`weights_dtype` must hold.*'float16'.* 7e\+04"):
        ka.save_model(model, tmp_path / "x.keras", weights_dtype="float16")
    with pytest.raises(ValueError, match=r"must be 'float16' or None\. Received: weights_dtype='i"):
        ka.save_model(model, tmp_path / "x.keras", weights_dtype="int4")
    assert not list(tmp_path.iterdir())
