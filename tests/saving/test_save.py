"""What `ka.save_model` leaves behind, when it succeeds and when it does not."""

import json

import keras
import pytest

import keras_attention as ka
from tests.saving.test_hub import output, server  # noqa: F401

METRICS = {"task": "tabular-classification", "test": {"accuracy": 0.5}, "seed": 3}


@pytest.fixture
def model():
    x = keras.Input((4, 6))
    y = ka.layers.TransformerBlock(num_heads=2, intermediate_dim=8)(x)
    return keras.Model(x, keras.layers.Dense(3)(y))


@keras.saving.register_keras_serializable(package="tests")
class Fails(keras.layers.Layer):
    def call(self, x):
        return x

    def get_config(self):
        raise RuntimeError("no configuration")


def test_a_card_beside_the_file(model, tmp_path):
    (tmp_path / "metrics.json").write_text(json.dumps(METRICS))
    saved = ka.save_model(model, tmp_path / "x.keras", card=tmp_path / "metrics.json")
    assert saved == str(tmp_path / "x.keras")
    card = (tmp_path / "x.md").read_text()
    assert "tabular-classification" in card
    assert ka.saving.digest(tmp_path / "x.keras") in card
    ka.load_model(saved, sha256=ka.saving.digest(saved))
    with pytest.raises(ka.saving.RefusedFileError, match=r"SHA-256 is .*0000 was asked for"):
        ka.load_model(saved, sha256="0" * 64)


def test_a_folder_is_replaced_as_a_whole(model, tmp_path):
    folder = tmp_path / "models" / "x"
    ka.save_model(model, folder)
    (folder / "left.txt").write_text("from before")
    ka.save_model(model, folder, card=METRICS)
    assert {path.name for path in folder.iterdir()} == {
        "README.md", "config.json", "metadata.json", "model.weights.h5",
    }  # fmt: skip
    assert [path.name for path in folder.parent.iterdir()] == ["x"]
    for load in (ka.load_model, keras.saving.load_model):
        assert (output(load(folder)) == output(model)).all()


def test_what_is_not_a_model_is_not_replaced(model, tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ValueError, match="left as it is"):
        ka.save_model(model, tmp_path)
    with pytest.raises(ValueError, match=r"must end in \.keras"):
        ka.save_model(model, tmp_path / "model.h5")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("name", ["x.keras", "x"])
def test_a_failure_leaves_what_was_there(model, tmp_path, name):
    ka.save_model(model, tmp_path / name)
    before = ka.saving.digest(tmp_path / name)
    broken = keras.Model(model.input, Fails()(model.output))
    with pytest.raises(RuntimeError, match="no configuration"):
        ka.save_model(broken, tmp_path / name)
    assert ka.saving.digest(tmp_path / name) == before
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_to_the_hub_and_back(model, server):  # noqa: F811
    saved = ka.save_model(model, "hf://someone/model", card=METRICS)
    assert saved.startswith("hf://someone/model@")
    card = server.commits["someone/model"][-1][1]["README.md"].decode()
    assert "hf://someone/model" in card
    assert (output(ka.load_model(saved)) == output(model)).all()
