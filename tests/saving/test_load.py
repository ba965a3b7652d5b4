"""What loading takes from a file, and what it does not draw first."""

import keras
import numpy as np
import pytest

import keras_attention as ka
from keras_attention.saving import weights
from tests.backend import to_numpy

pytestmark = pytest.mark.runs_on("torch")


@keras.saving.register_keras_serializable(package="tests")
class Projection(keras.layers.Layer):
    """Draws its weights anew from a seed, and keeps them out of the file."""

    def build(self, shape):
        self.kernel = self.add_weight(
            shape=(shape[-1], 4), initializer=keras.initializers.RandomNormal(seed=0)
        )

    def call(self, x):
        return x @ self.kernel

    def save_own_variables(self, store):
        pass

    def load_own_variables(self, store):
        pass


def test_weights_that_a_class_of_the_caller_leaves_out_are_drawn(tmp_path):
    model = keras.Sequential([keras.Input((3,)), Projection()])
    ka.save_model(model, tmp_path / "x.keras")
    loaded = ka.load_model(tmp_path / "x.keras", allow=[Projection])
    np.testing.assert_array_equal(to_numpy(loaded.weights[0]), to_numpy(model.weights[0]))
    assert np.any(to_numpy(loaded.weights[0]))


def test_no_weights_are_drawn_that_the_file_brings(tmp_path, monkeypatch):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    ka.save_model(model, tmp_path / "x.keras")
    drawn = []
    draw = keras.initializers.GlorotUniform.__call__
    monkeypatch.setattr(
        keras.initializers.GlorotUniform,
        "__call__",
        lambda *a, **k: drawn.append(a) or draw(*a, **k),
    )
    loaded = ka.load_model(tmp_path / "x.keras")
    assert not drawn
    np.testing.assert_array_equal(to_numpy(loaded.weights[0]), to_numpy(model.weights[0]))


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "float64"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_the_last_part_of_an_array_is_looked_at(tmp_path, monkeypatch, dtype, value):
    monkeypatch.setattr(weights, "_CHUNK", 64)
    model = keras.Sequential([keras.Input((7,)), keras.layers.Dense(5, dtype=dtype)])
    kernel = np.zeros((7, 5), "float32")
    kernel[-1, -1] = value
    model.layers[0].kernel.assign(kernel)
    ka.save_model(model, tmp_path / "x.keras")
    with pytest.raises(ka.saving.RefusedFileError, match="NaN or an infinity in 'layers/dense"):
        ka.load_model(tmp_path / "x.keras")
    model.layers[0].kernel.assign(np.ones((7, 5)))
    ka.save_model(model, tmp_path / "x.keras")
    loaded = ka.load_model(tmp_path / "x.keras")
    assert loaded.layers[0].kernel.dtype == dtype


def test_numbers_that_the_models_type_does_not_hold_are_refused(tmp_path):
    wide = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="dense")])
    wide.layers[0].kernel.assign(np.full((3, 2), 1e6))
    narrow = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(2, dtype="float16", name="dense")]
    )
    for name, model in (("wide", wide), ("narrow", narrow)):
        ka.save_model(model, tmp_path / name)
    (tmp_path / "wide" / "model.weights.h5").replace(tmp_path / "narrow" / "model.weights.h5")
    with pytest.raises(ka.saving.RefusedFileError, match="NaN or an infinity"):
        ka.load_model(tmp_path / "narrow")
