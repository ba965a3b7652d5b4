"""Files that `ka.load_model` refuses, before anything is built of them."""

import base64
import copy
import importlib
import json
import random
import re
import struct
import time

import keras
import numpy as np
import pytest

import keras_attention as ka
from keras_attention.saving import allowed, training
from tests.saving import hostile

BUILT = []
once = pytest.mark.runs_on("torch")


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


@once
def test_there_are_many():
    assert len(hostile.FILES) >= 40


@once
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


@once
def test_what_is_allowed_exists():
    for module, names in allowed._CLASSES.items():
        for name in names.split():
            defining = importlib.import_module(module)
            assert isinstance(getattr(defining, name), type), f"{module}.{name}"


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if built else once)
        for name, (_, _, built) in hostile.FILES.items()
    ],
)
def test_refused(name, good, tmp_path):
    make, match, _ = hostile.FILES[name]
    path = tmp_path / "model.keras"
    make(hostile.members(good), path)
    start = time.process_time()
    with pytest.raises(ka.saving.FileError, match=f"(?s){match}") as caught:
        ka.load_model(path)
    assert time.process_time() - start < 5
    message = str(caught.value)
    assert message.replace("\n", "").isprintable()
    assert len(message) < 3000
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


@once
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


@once
def test_sizes_of_metrics_are_bound(good, tmp_path):
    path = tmp_path / "model.keras"
    auc = {
        "module": "keras.metrics", "class_name": "AUC", "registered_name": None,
        "config": {"name": "auc", "num_thresholds": 10**9},
    }  # fmt: skip
    hostile.with_config(
        hostile.members(good), path, lambda config: config["compile_config"].update(metrics=[auc])
    )
    with pytest.raises(ka.saving.RefusedFileError, match="num_thresholds is 1,000,000,000"):
        ka.load_model(path, resume=True)


def with_random_state(state, where, value):
    """The training state with one value of its random state replaced."""
    state = copy.deepcopy(state)
    part = state["random"]
    for key in where[:-1]:
        part = part[key]
    part[where[-1]] = value
    return state


@once
@pytest.mark.parametrize(
    ("where", "value"),
    [
        (("numpy", "state", "pos"), 10**9),  # NumPy reads the memory there
        (("numpy", "state", "pos"), -1),
        (("numpy", "state", "key"), [0] * 623),
        (("numpy", "state", "key", 5), 2**32),
        (("numpy", "bit_generator"), "PCG64"),
        (("numpy", "has_gauss"), 7),
        (("numpy", "gauss"), 1e300),
        (("numpy",), []),
        (("python", 0), 2),
        (("python", 1, 624), 10**9),
        (("python", 1), [1, 2]),
        (("python", 2), "x"),
    ],
)
def test_random_states_that_crash_are_refused(good, tmp_path, where, value):
    members, path = hostile.members(good), tmp_path / "model.keras"
    state = with_random_state(json.loads(members["training.json"]), where, value)
    hostile.write({**members, "training.json": json.dumps(state).encode()}, path)
    random.seed(3)
    before = random.getstate()
    with pytest.raises(ka.saving.DamagedFileError, match="random state"):
        ka.load_model(path, resume=True)
    assert random.getstate() == before


@pytest.mark.only_on("torch")
def test_a_position_beyond_the_numbers_of_torch_is_refused(good, tmp_path):
    """`torch.set_rng_state` takes it, and the next numbers are of the memory behind."""
    members, path = hostile.members(good), tmp_path / "model.keras"
    state = json.loads(members["training.json"])
    content = bytearray(base64.b64decode(state["random"]["torch"]))
    content[8:12], content[16:24] = struct.pack("<i", 624), struct.pack("<Q", 624)
    state = with_random_state(state, ["torch"], base64.b64encode(content).decode())
    hostile.write({**members, "training.json": json.dumps(state).encode()}, path)
    with pytest.raises(ka.saving.DamagedFileError, match="position 624"):
        ka.load_model(path, resume=True)


def test_loading_without_resuming_leaves_random_states_alone(good):
    np.random.seed(3)
    before = training.random_state()
    ka.load_model(good)
    # Keras draws a seed for each layer without one from Python's, as for any model.
    assert training.random_state() | {"python": None} == before | {"python": None}


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"format": 99}, "Install a newer"),
        ({"format": "1"}, "not a training state"),
        ({"seeds": [[1, 2]] * 9}, "random states of layers"),
        ({"random": {}}, "random state"),
        ({"not_decayed": [[10**6]]}, "No model can be built"),
        ({"not_decayed": [[-1]]}, "not_decayed"),
        ({"seeds": [[1, 2**64]]}, "two numbers"),
        ({"jit_compile": "os.system"}, "jit_compile"),
    ],
)
def test_state_of_training_is_checked(good, tmp_path, change, match):
    members, path = hostile.members(good), tmp_path / "model.keras"
    state = json.loads(members["training.json"]) | change
    hostile.write({**members, "training.json": json.dumps(state).encode()}, path)
    with pytest.raises(ka.saving.FileError, match=match):
        ka.load_model(path, resume=True)


@once
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


@once
def test_truncated_at_any_length(good, tmp_path):
    content = good.read_bytes()
    for length in range(1, len(content), len(content) // 40):
        (tmp_path / "model.keras").write_bytes(content[:length])
        with pytest.raises(ka.saving.DamagedFileError, match=r"truncated|does not begin"):
            ka.load_model(tmp_path / "model.keras")


@once
def test_a_changed_bit_of_a_member(good, tmp_path):
    content = bytearray(good.read_bytes())
    content[len(content) // 2] ^= 4
    (tmp_path / "model.keras").write_bytes(content)
    with pytest.raises(ka.saving.DamagedFileError, match=r"A member was changed .*CRC"):
        ka.load_model(tmp_path / "model.keras")


@once
def test_newer_keras(good, tmp_path):
    path, members = tmp_path / "model.keras", hostile.members(good)
    hostile.write({**members, "metadata.json": b'{"keras_version": "4.0.0"}'}, path)
    with pytest.raises(ka.saving.NewerFileError, match=r"Keras 4\.0\.0"):
        ka.load_model(path)
    hostile.write({**members, "metadata.json": b'{"keras_version": "3.99.0"}'}, path)
    ka.load_model(path)


@once
def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"model\.keras"):
        ka.load_model(tmp_path / "model.keras")


@once
def test_an_operation_whose_base_is_not_the_operation(tmp_path):
    x = keras.Input((4,))
    ids = keras.ops.cast(x[:, 1], "int32")
    model = keras.Model(x, keras.ops.segment_sum(x[:, 0], ids, num_segments=3))
    ka.save_model(model, tmp_path / "model.keras")
    output = ka.load_model(tmp_path / "model.keras")(np.ones((2, 4)))
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(output), [0, 2, 0])


@once
def test_models_in_models_and_shared_layers_are_loaded(tmp_path):
    """Counting the calls of layers takes a layer that waits for another as Keras takes it."""
    z = keras.Input((4,))
    dense = keras.layers.Dense(4)
    inner = keras.Model(z, dense(dense(z)))
    x = keras.Input((4,))
    y = keras.Sequential([keras.layers.Dense(4)])(inner(x))
    late = keras.layers.Dense(4)
    model = keras.Model(x, [late(inner(late(y)) + y), inner(x)])
    ka.save_model(model, tmp_path / "model.keras")
    values = np.ones((2, 4), "float32")
    outputs = ka.load_model(tmp_path / "model.keras")(values)
    for a, b in zip(outputs, model(values), strict=True):
        np.testing.assert_array_equal(*map(keras.ops.convert_to_numpy, (a, b)))
