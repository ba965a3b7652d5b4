"""Reads with today's code the files that `make_old_files` made with that of an earlier commit.

    KERAS_BACKEND=torch python -m tests.saving.read_old_files FOLDER [NAME ...]

It prints a line for each file, the error with it if there is one; and fails if there was any.
`NAME`s, such as `gpt` or `TransformerBlock-0`, choose among the files.
"""

import json
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path

import keras
import numpy as np

import keras_attention as ka
from tests.backend import assert_same_weights, to_numpy, whole

# Of the same backend on the same machine; sums may be taken in another order by now.
CLOSE = {"rtol": 1e-5, "atol": 1e-5}
# Where a class stands, what its outer layer builds, and the address of an object in that process.
NOT_COMPARED = ("module", "build_config", "shared_object_id")


def main(folder, names):
    checks = {
        **{path: read_layer for path in sorted((folder / "layers").glob("*.keras"))},
        **{path.with_suffix(".keras"): read_model for path in sorted(folder.glob("models/*.npz"))},
        folder / "checkpoints": resume_checkpoints,
    }
    failures = 0
    for path, check in checks.items():
        if names and path.stem not in names:
            continue
        try:
            check(path)
            print("read", path.stem, flush=True)
        except Exception as error:
            failures += 1
            print(f"FAILED {path.stem}: {type(error).__name__}: {error}", flush=True)
    assert not any(name.split(".")[0] == "zoo" for name in sys.modules), "zoo was imported"
    print(f"{failures} of {len(checks)} failed")
    return failures


def read_layer(path):
    arrays = np.load(path.with_suffix(".npz"))
    model = keras.saving.load_model(path)
    output = whole(model)(inputs_of(arrays))
    output = output[0] if isinstance(output, list | tuple) else output
    np.testing.assert_allclose(to_numpy(output), arrays["output"], **CLOSE)
    check_config(model, path)
    check_ours(model, path)


def read_model(path):
    arrays = np.load(path.with_suffix(".npz"))
    inputs = inputs_of(arrays)
    feed = inputs if len(inputs) > 1 else next(iter(inputs.values()))
    model = keras.saving.load_model(path)
    np.testing.assert_allclose(to_numpy(whole(model)(feed)), arrays["output"], **CLOSE)
    check_config(model, path)
    check_ours(model, path)
    check_safetensors(model, path)
    check_frozen(path, arrays)
    resumed = ka.load_model(path, resume=True)
    assert_same_weights(resumed, model)
    settings = {"batch_size": len(arrays["target"]), "shuffle": False, "verbose": 0}
    history = resumed.fit(feed, arrays["target"], **settings).history
    np.testing.assert_allclose(history["loss"], arrays["loss"], **CLOSE)
    check_weights(resumed, arrays)
    whole.cache_clear()


def inputs_of(arrays):
    return {
        name.removeprefix("input "): arrays[name] for name in arrays if name.startswith("input ")
    }


def check_config(model, path):
    """The model's configuration has all that the file's says; new settings may be in it."""
    with zipfile.ZipFile(path) as file:
        saved = json.loads(file.read("config.json"))
    today = json.loads(json.dumps(keras.saving.serialize_keras_object(model)))
    for name in ("compile_config", "keras_attention"):
        saved.pop(name, None)
    check_contains(today, saved, "config.json")


def check_contains(today, saved, where):
    if isinstance(saved, dict) and isinstance(today, dict):
        for key, value in saved.items():
            if key not in NOT_COMPARED:
                assert key in today, f"{where} has lost {key}={value!r}"
                check_contains(today[key], value, f"{where}/{key}")
    elif isinstance(saved, list) and isinstance(today, list) and len(saved) == len(today):
        for number, value in enumerate(saved):
            check_contains(today[number], value, f"{where}/{number}")
    else:
        assert today == saved, f"{where} is {today!r}, and was {saved!r}"


def check_ours(model, path):
    loaded = ka.load_model(path)
    assert loaded.get_config() == model.get_config()
    assert_same_weights(loaded, model)


def check_safetensors(model, path):
    """The weights by name are those of the model, whose own are lost before."""
    weights = model.get_weights()
    model.set_weights([np.zeros_like(weight) for weight in weights])
    ka.saving.from_safetensors(model, path.with_suffix(".safetensors"))
    for variable, weight in zip(model.weights, weights, strict=True):
        np.testing.assert_array_equal(to_numpy(variable), weight, err_msg=variable.path)


def check_frozen(path, arrays):
    frozen = path.with_name(f"{path.stem}-frozen.keras")
    loaded = {
        "trained": ka.load_model(frozen),
        "trained by keras": keras.saving.load_model(frozen, compile=False),
    }
    for name, model in loaded.items():
        ids = {id(variable) for variable in model.trainable_variables}
        trained = [id(variable) in ids for variable in model.weights]
        np.testing.assert_array_equal(trained, arrays[name], err_msg=name)
        for layer in model._flatten_layers():  # as a whole each
            assert all(v.trainable == layer.trainable for v in layer._trainable_variables), layer


def check_weights(model, arrays):
    for number, variable in enumerate(model.weights):
        expected = arrays[f"weight {number}"]
        np.testing.assert_allclose(to_numpy(variable), expected, err_msg=variable.path, **CLOSE)


def resume_checkpoints(folder):
    """A training goes on from its checkpoint as if it had not been stopped."""
    arrays = np.load(folder.with_suffix(".npz"))
    with tempfile.TemporaryDirectory() as copy:
        shutil.copytree(folder, copy, dirs_exist_ok=True)  # the training adds to it
        checkpoint = ka.callbacks.Checkpoint(copy, every=3, resume=True)
        model = ka.load_model(checkpoint.latest)
        model.compile(keras.optimizers.SGD(0.01, momentum=0.9), "mse")
        settings = {"batch_size": 4, "epochs": 2, "shuffle": False, "verbose": 0}
        model.fit(arrays["x"], arrays["y"], callbacks=[checkpoint], **settings)
    check_weights(model, arrays)


if __name__ == "__main__":
    sys.exit(bool(main(Path(sys.argv[1]), sys.argv[2:])))
