"""What `ka.load_model` refuses, and that it does so before anything is built."""

import importlib
import json
import re

import keras
import pytest

import keras_attention as ka
from keras_attention.saving import allowed
from tests.saving import hostile

BUILT = []


@keras.saving.register_keras_serializable(package="stranger")
class Evil(keras.layers.Layer):
    def __init__(self, **kwargs):
        BUILT.append(self)
        super().__init__(**kwargs)


@keras.saving.register_keras_serializable(package="stranger")
def evil(x):
    BUILT.append(x)
    return x


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    path = tmp_path_factory.mktemp("good") / "model.keras"
    ka.save_model(hostile.model(), path)
    return path


def test_the_good_file_is_loaded(good, tmp_path):
    ka.load_model(good)
    hostile.write(hostile.members(good), tmp_path / "again.keras")
    ka.load_model(tmp_path / "again.keras", resume=True)


def test_there_are_many():
    assert len(hostile.FILES) >= 40


def test_of_keras_all_layers_but_these_are_allowed():
    """A new version's layers, too, must be looked at."""
    names: dict[type, set[str]] = {}
    for name, layer in vars(keras.layers).items():
        if isinstance(layer, type):
            names.setdefault(layer, set()).add(name)
    refused = [
        min(aliases)
        for aliases in names.values()
        if not any(allowed.is_class("keras.layers", name) for name in aliases)
    ]
    assert sorted(refused) == [
        "FlaxLayer", "InputSpec", "JaxLayer", "Lambda", "Layer", "TFSMLayer", "TextVectorization",
        "TorchModuleWrapper", "Wrapper",
    ]  # fmt: skip


def test_what_is_allowed_exists():
    for module, names in allowed._CLASSES.items():
        for name in names.split():
            found = importlib.import_module(module)
            assert isinstance(getattr(found, name), type), f"{module}.{name}"


@pytest.mark.parametrize("name", hostile.FILES)
def test_refused(name, good, tmp_path):
    make, match = hostile.FILES[name]
    path = tmp_path / "model.keras"
    make(hostile.members(good), path)
    with pytest.raises(ka.saving.FileError, match=match) as caught:
        ka.load_model(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    if isinstance(caught.value, ka.saving.RefusedFileError):
        assert re.search("If you trust|Save it anew|save it anew|Replace it", message)
    assert not BUILT


def test_what_the_caller_passes_is_allowed(good, tmp_path):
    path = tmp_path / "model.keras"
    hostile.with_layer(
        hostile.members(good), path, class_name="Evil", module=__name__,
        registered_name="stranger>Evil", config={"name": "dense"}, build_config=None,
    )  # fmt: skip
    with pytest.raises(ka.saving.RefusedFileError, match=r"allow=\[Evil\]"):
        ka.load_model(path)
    # Then its weights do not fit, which is another error.
    with pytest.raises(ka.saving.DamagedFileError, match="dense"):
        ka.load_model(path, allow=[Evil])
    assert BUILT.pop()


def test_limits_can_be_raised(good, tmp_path):
    path = tmp_path / "model.keras"
    hostile.FILES["weights_with_nan"][0](hostile.members(good), path)
    ka.load_model(path, limits=ka.saving.Limits(non_finite=True))


@pytest.mark.parametrize("key", ["optimizer", "loss", "metrics"])
def test_training_is_checked_too(good, tmp_path, key):
    path = tmp_path / "model.keras"

    def change(config):
        config["compile_config"][key] = {
            "module": "keras.saving", "class_name": "function", "config": "load_model",
            "registered_name": "load_model",
        }  # fmt: skip

    hostile.with_config(hostile.members(good), path, change)
    with pytest.raises(ka.saving.RefusedFileError, match="load_model"):
        ka.load_model(path, resume=True)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"format": 99}, "Install a newer"),
        ({"format": "1"}, "not a training state"),
        ({"seeds": [[1, 2]] * 9}, "random states of layers"),
        ({"random": {}}, "random state"),
        ({"not_decayed": [[10**6]]}, "No model can be built"),
        ({"jit_compile": "os.system"}, "jit_compile"),
    ],
)
def test_state_of_training_is_checked(good, tmp_path, change, match):
    members, path = hostile.members(good), tmp_path / "model.keras"
    state = json.loads(members["training.json"]) | change
    hostile.write({**members, "training.json": json.dumps(state).encode()}, path)
    with pytest.raises(ka.saving.FileError, match=match):
        ka.load_model(path, resume=True)


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "empty"),
        (b"\x89HDF\r\n\x1a\n" + bytes(100), "HDF5 file"),
        (b"# a text\n", "does not begin as a zip"),
        (b"PK\x03\x04" + bytes(100), "truncated"),
    ],
)
def test_other_files(tmp_path, content, match):
    (tmp_path / "model.keras").write_bytes(content)
    with pytest.raises(ka.saving.DamagedFileError, match=match):
        ka.load_model(tmp_path / "model.keras")


def test_truncated_at_any_length(good, tmp_path):
    content = good.read_bytes()
    for length in range(1, len(content), len(content) // 40):
        (tmp_path / "model.keras").write_bytes(content[:length])
        with pytest.raises(ka.saving.DamagedFileError, match=r"truncated|does not begin"):
            ka.load_model(tmp_path / "model.keras")


def test_a_changed_bit_of_a_member(good, tmp_path):
    content = bytearray(good.read_bytes())
    content[len(content) // 2] ^= 4
    (tmp_path / "model.keras").write_bytes(content)
    with pytest.raises(ka.saving.DamagedFileError, match=r"A member was changed .*CRC"):
        ka.load_model(tmp_path / "model.keras")


def test_newer_keras(good, tmp_path):
    path, members = tmp_path / "model.keras", hostile.members(good)
    hostile.write({**members, "metadata.json": b'{"keras_version": "4.0.0"}'}, path)
    with pytest.raises(ka.saving.NewerFileError, match=r"Keras 4\.0\.0"):
        ka.load_model(path)
    hostile.write({**members, "metadata.json": b'{"keras_version": "3.99.0"}'}, path)
    ka.load_model(path)


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"model\.keras"):
        ka.load_model(tmp_path / "model.keras")
