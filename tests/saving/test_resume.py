"""A training that goes on from a file goes on as if it had not stopped."""

import json
import zipfile

import keras
import numpy as np
import pytest

import keras_attention as ka
from tests.backend import to_numpy
from tests.saving.trainings import (
    OPTIMIZERS,
    POLICIES,
    AfterEpoch,
    compiled,
    data,
    losses,
)

STEPS = 5


def stopped(tmp_path, optimizer="Adam", *, save=ka.save_model, **settings):
    """A file saved in the midst of a training, and how that went on."""
    file = tmp_path / "model.keras"
    model = compiled(optimizer, **settings)
    saves = AfterEpoch(STEPS, lambda model: save(model, file))
    return file, model, losses(model, 2 * STEPS, callbacks=[saves])[STEPS:]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_with_dropout(tmp_path, optimizer):
    file, model, expected = stopped(tmp_path, optimizer, dropout=0.5)
    resumed = ka.load_model(file, resume=True)
    assert losses(resumed, STEPS) == expected
    for mine, its in zip(resumed.optimizer.variables, model.optimizer.variables, strict=True):
        np.testing.assert_array_equal(to_numpy(mine), to_numpy(its), err_msg=its.path)


@pytest.mark.parametrize(
    ("policy", "optimizer"),
    [
        *((policy, "Adam") for policy in POLICIES),
        ("mixed_float16", "Muon"),
        ("mixed_float16", "biases not decayed"),
    ],
)
def test_every_policy(tmp_path, policy, optimizer):
    file, model, expected = stopped(tmp_path, optimizer, dropout=0.5, policy=policy)
    resumed = ka.load_model(file, resume=True)
    assert losses(resumed, STEPS) == expected
    assert type(resumed.optimizer) is type(model.optimizer)
    if policy == "mixed_float16":
        assert isinstance(resumed.optimizer, keras.optimizers.LossScaleOptimizer)


@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
def test_a_file_of_keras_alone(tmp_path, policy):
    """It has all but the random states."""
    file, _, expected = stopped(
        tmp_path, save=lambda model, path: model.save(path), dropout=0.0, policy=policy
    )
    assert losses(ka.load_model(file, resume=True), STEPS) == expected


def test_shuffled_data_and_python_random_go_on(tmp_path):
    x, y = data()
    model = compiled("SGD", dropout=0.5)
    model.fit(x, y, batch_size=4, verbose=0)
    ka.save_model(model, tmp_path / "model.keras")
    expected = model.fit(x, y, batch_size=4, verbose=0).history["loss"], np.random.rand()
    np.random.seed(99)
    resumed = ka.load_model(tmp_path / "model.keras", resume=True)
    actual = resumed.fit(x, y, batch_size=4, verbose=0).history["loss"], np.random.rand()
    if keras.backend.backend() == "tensorflow":  # its order is in operations that none can read
        actual, expected = actual[1:], expected[1:]
    assert actual == expected


def test_not_trained_yet(tmp_path):
    model = compiled("Adam", dropout=0.5)
    ka.save_model(model, tmp_path / "model.keras")
    expected = losses(model, STEPS)
    assert losses(ka.load_model(tmp_path / "model.keras", resume=True), STEPS) == expected


def test_without_resume_it_is_not_compiled(tmp_path):
    file, model, _ = stopped(tmp_path, dropout=0.5)
    assert not ka.load_model(file).compiled
    ka.save_model(keras.Model(model.input, model.output), file)
    with pytest.raises(ka.saving.RefusedFileError, match="nothing to resume"):
        ka.load_model(file, resume=True)


def test_keras_reads_it_too(tmp_path):
    file, _, expected = stopped(tmp_path, dropout=0.0)
    assert losses(keras.saving.load_model(file), STEPS) == expected


def test_compiled_code_of_another_backend_is_not_asked_for(tmp_path):
    file, _, _ = stopped(tmp_path, dropout=0.0)
    config = json.loads(zipfile.ZipFile(file).read("config.json"))
    assert config["compile_config"]["jit_compile"] == "auto"
    assert config["compile_config"]["optimizer"]["module"] == "keras.optimizers"
    model = ka.load_model(file, resume=True)
    assert model.jit_compile == compiled("Adam", dropout=0.0).jit_compile


def test_restore_in_place(tmp_path):
    file, _, expected = stopped(tmp_path, "biases not decayed", dropout=0.5)
    model = compiled("biases not decayed", dropout=0.5)
    losses(model, 2)
    ka.saving.restore(model, file)
    assert losses(model, STEPS) == expected


@pytest.mark.parametrize("change", ["layer", "optimizer"])
def test_restore_refuses_another_model(tmp_path, change):
    file, _, _ = stopped(tmp_path, dropout=0.5)
    other = compiled("Adam" if change == "layer" else "Lion", dropout=0.5)
    if change == "layer":
        features = keras.Input((6,))
        other = keras.Model(features, keras.layers.Dense(3)(features))
        other.compile("adam", "mse")
    with pytest.raises(ka.saving.DamagedFileError, match=r"another model|optimizer has"):
        ka.saving.restore(other, file)
