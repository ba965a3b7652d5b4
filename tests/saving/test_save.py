"""Files that `ka.save_model` leaves behind, when it succeeds and when it does not."""

import errno
import json
import tempfile
import time
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_attention as ka
from tests.saving import hostile, test_hub
from tests.saving.test_hub import output

pytestmark = pytest.mark.runs_on("torch")
server = test_hub.server
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


@keras.saving.register_keras_serializable(package="tests")
class Words(keras.layers.Layer):
    """Has an asset of `size` bytes."""

    def __init__(self, size, **kwargs):
        super().__init__(**kwargs)
        self.size = size

    def call(self, x):
        return x

    def get_config(self):
        return super().get_config() | {"size": self.size}

    def save_assets(self, path):
        (Path(path) / "words.txt").write_bytes(bytes(self.size))

    def load_assets(self, path):
        pass


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


@pytest.mark.parametrize("name", ["x.keras", "x", "hf://someone/model"])
@pytest.mark.parametrize(
    ("card", "error", "message"),
    [
        ({"test": 0.5}, TypeError, "`test`.*Received: 0.5"),
        (5, TypeError, "Received: 5"),
        ("[]", TypeError, r"`card` names .*metrics.json.*Received: \[\]"),
        ("{", ValueError, "`card` names .*metrics.json, which is no metrics.json"),
        ("\udc80", ValueError, "which is no metrics.json"),
        (None, FileNotFoundError, "metrics.json"),
    ],
    ids=["inside", "no mapping", "file of a list", "no JSON", "no UTF-8", "no file"],
)
def test_a_refused_card_changes_nothing(
    model,
    tmp_path,
    server,
    name,
    card,
    error,
    message,
):
    path = name if name.startswith("hf://") else tmp_path / name
    before = ka.save_model(model, path, card=METRICS)
    commits = len(server.commits.get("someone/model", ()))
    content = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    if card is None or isinstance(card, str):
        file = tmp_path.parent / f"{tmp_path.name}-metrics.json"
        file.unlink(missing_ok=True)
        if card is not None:
            file.write_bytes(card.encode("utf-8", "surrogateescape"))
        card = file
    with pytest.raises(error, match=message):
        ka.save_model(model, path, card=card)
    assert {f: f.read_bytes() for f in tmp_path.rglob("*") if f.is_file()} == content
    assert len(server.commits.get("someone/model", ())) == commits
    assert (output(ka.load_model(before)) == output(model)).all()


def test_a_card_that_cannot_be_written_changes_nothing(model, tmp_path):
    ka.save_model(model, tmp_path / "x.keras")
    (tmp_path / "x.md").mkdir()
    before = ka.saving.digest(tmp_path / "x.keras")
    with pytest.raises(IsADirectoryError, match=r"x\.md"):
        ka.save_model(keras.Sequential([model, Fails()]), tmp_path / "x.keras", card=METRICS)
    assert ka.saving.digest(tmp_path / "x.keras") == before


def test_the_optimizer_is_that_of_now(tmp_path):
    """Keras's writer of `.h5` takes it out of what `compile` was told, for good."""
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    model.fit(np.ones((4, 3)), np.ones((4, 1)), verbose=0)
    model.save(tmp_path / "x.h5")
    ka.save_model(model, tmp_path / "x.keras")
    resumed = ka.load_model(tmp_path / "x.keras", resume=True)
    assert type(resumed.optimizer) is type(model.optimizer)
    for ours, its in zip(resumed.optimizer.variables, model.optimizer.variables, strict=True):
        np.testing.assert_array_equal(ours, its)
    model.optimizer = keras.optimizers.SGD(0.5, momentum=0.25)
    ka.save_model(model, tmp_path / "x.keras")
    resumed = ka.load_model(tmp_path / "x.keras", resume=True)
    assert float(resumed.optimizer.learning_rate) == 0.5
    assert resumed.optimizer.momentum == 0.25


def test_classes_of_ours_may_have_moved(model, tmp_path):
    """A file names the module where a class was when it was saved."""
    model.compile("sgd", ka.training.SmoothedCrossentropy())
    members = hostile.members(ka.save_model(model, tmp_path / "x.keras"))

    def say(block, loss):
        def change(config):
            (layer,) = (
                each for each in config["config"]["layers"] if "Block" in each["class_name"]
            )
            layer["module"] = block
            config["compile_config"]["loss"]["module"] = loss

        hostile.with_config(members, tmp_path / "moved.keras", change)

    say("keras_attention.layers.transformer_block", "zoo.losses")
    loaded = ka.load_model(tmp_path / "moved.keras", resume=True)
    assert (output(loaded) == output(model)).all()
    assert type(loaded.loss) is ka.training.SmoothedCrossentropy
    say("keras_attention_of_mine", "zoo.losses")
    with pytest.raises(ka.saving.RefusedFileError, match="calls 'keras_attention>TransformerBlock"):
        ka.load_model(tmp_path / "moved.keras")


@pytest.mark.parametrize("now", [0.0, 2.0**33])
def test_no_clock_is_too_wrong_to_save(model, tmp_path, monkeypatch, now):
    """A zip file knows the years 1980 to 2107."""
    monkeypatch.setattr(time, "time", lambda: now)
    ka.save_model(model, tmp_path / "x.keras")
    for load in (ka.load_model, keras.saving.load_model):
        assert (output(load(tmp_path / "x.keras")) == output(model)).all()


def test_what_saving_needs_in_between_is_removed(model, tmp_path, monkeypatch):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    ka.save_model(model, tmp_path / "x.keras")
    with pytest.raises(RuntimeError, match="no configuration"):
        ka.save_model(keras.Model(model.input, Fails()(model.output)), tmp_path / "y.keras")
    killed = tmp_path / "temporary" / ".keras_attention-0"
    killed.mkdir()
    (killed / "model.weights.h5").write_bytes(b"half a model")
    ka.save_model(model, tmp_path / "x")
    assert not list((tmp_path / "temporary").iterdir())


def test_a_full_temporary_folder_is_said_in_words(model, tmp_path, monkeypatch):
    """Raises `OSError` with the system's words, in place of what HDF5 says."""
    said = (
        "Can't decrement id ref count (file write failed: time = Mon Nov 30 10:14:41 2026\\n, "
        "filename = '/tmp/x/model.weights.h5', file descriptor = 12, errno = 28, error message = "
        "'No space left on device', buf = 0x1, total write size = 96, offset = 0)"
    )

    def fail(*arguments, **settings):
        raise RuntimeError(said)

    monkeypatch.setattr(model, "save", fail)
    with pytest.raises(OSError, match="No space left on device: '") as error:
        ka.save_model(model, tmp_path / "x.keras")
    assert error.value.errno == errno.ENOSPC
    assert not list(tmp_path.iterdir())


def test_an_asset_of_any_size_is_saved(tmp_path, monkeypatch):
    """The limits are for strangers' files: what is saved is the user's own."""
    model = keras.Sequential([keras.Input(()), Words(65 * 2**20)])
    path = ka.save_model(model, tmp_path / "x.keras")
    with pytest.raises(ka.saving.RefusedFileError, match="asset_bytes"):
        ka.load_model(path, allow=[Words])


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("x", "y.keras"), TypeError, "`model` must be a `keras.Model`. Received: 'x'"),
        ((None, ""), ValueError, "`path` must be.*Received: path=''"),
        ((None, "s3://bucket/x.keras"), ValueError, "`path` must be.*Received: path='s3:"),
        ((None, Path("hf://user/name")), ValueError, "as a string. Received"),
    ],
)
def test_arguments_are_checked(model, tmp_path, monkeypatch, arguments, error, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message):
        ka.save_model(arguments[0] or model, arguments[1])
    assert not list(tmp_path.iterdir())


def test_to_the_hub_and_back(model, server):
    saved = ka.save_model(model, "hf://someone/model", card=METRICS)
    assert saved.startswith("hf://someone/model@")
    card = server.commits["someone/model"][-1][1]["README.md"].decode()
    assert "hf://someone/model" in card
    assert (output(ka.load_model(saved)) == output(model)).all()
