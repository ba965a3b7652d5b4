"""Checkpoints of tiny random models against what transformers computed of them."""

from pathlib import Path

import keras
import numpy as np
import pytest

import keras_attention as ka
import zoo.pretrained
from tests.backend import to_numpy
from tests.zoo.pretrained.cases import CASES

FOLDER = Path(__file__).parent / "checkpoints"
TOLERANCE = 2e-5


@pytest.fixture(scope="module", params=CASES)
def case(request):
    folder = FOLDER / request.param
    model = zoo.pretrained.load(folder, task="features")
    return folder, model, np.load(folder / "expected.npz")


@pytest.mark.parametrize("side", ["right", "left"])
def test_features_and_attention_maps(case, side):
    _, model, expected = case
    ids, mask = expected[f"{side}_ids"], expected[f"{side}_mask"]
    with ka.capture() as maps:
        features = to_numpy(model(ids))
    difference = np.abs(features - expected[f"{side}_features"])[mask]
    assert difference.max() < TOLERANCE
    queries = mask[:, None, :, None]
    for weights, reference in zip(maps.values(), expected[f"{side}_maps"], strict=True):
        assert np.abs(to_numpy(weights) - reference * queries).max() < TOLERANCE


def test_files_of_the_zoo_and_of_the_hub_come_back(case, tmp_path):
    folder, model, expected = case
    ids = expected["right_ids"]
    ka.save_model(model, tmp_path / "model.keras")
    again = ka.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(to_numpy(again(ids)), to_numpy(model(ids)))
    zoo.pretrained.save(again, tmp_path / "saved", like=folder)
    other = zoo.pretrained.load(tmp_path / "saved", task="features")
    for ours, theirs in zip(other.weights, model.weights, strict=True):
        np.testing.assert_array_equal(to_numpy(ours), to_numpy(theirs))


def test_fit_learns(case):
    folder, _, expected = case
    keras.utils.set_random_seed(0)
    with pytest.warns(UserWarning, match="begin at random"):
        model = zoo.pretrained.load(folder, task="classes", class_names=("a", "b", "c"))
    model.compile(
        keras.optimizers.Adam(1e-2), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    x, y = expected["right_ids"], np.array([0, 1, 2])
    losses = model.fit(x, y, batch_size=3, epochs=8, verbose=0).history["loss"]
    assert losses[-1] < 0.5 * losses[0]
