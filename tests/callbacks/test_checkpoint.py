"""Checkpoints on the disk: what is kept, what is best, what is damaged, what cannot be written."""

import dataclasses
import errno
import json
import math
import os
import re

import keras
import numpy as np
import pytest

import keras_attention as ka
from keras_attention.callbacks import Checkpoint, manifest
from keras_attention.callbacks.folder import Folder
from keras_attention.saving import DamagedFileError, NewerFileError, files, scratch
from keras_attention.saving.training import random_state
from tests.callbacks import killing
from tests.callbacks.training import (
    STEPS,
    Cut,
    assert_same_weights,
    content,
    fit,
    make,
    weights,
)


class Logs(keras.callbacks.Callback):
    """Adds a log to each epoch."""

    def __init__(self, **logs):
        super().__init__()
        self.added = logs

    def on_epoch_end(self, epoch, logs=None):
        logs.update({name: values[epoch] for name, values in self.added.items()})


once = pytest.mark.runs_on("torch")  # for what is on the disk


def names(folder):
    return sorted(path.stem for path in folder.glob("step-*.keras"))


def test_a_checkpoint_says_what_it_is(tmp_path):
    model = make()
    fit(model, Checkpoint(tmp_path, every=3), Cut("on_train_batch_end", 2 * STEPS - 1))
    assert names(tmp_path) == ["step-00000003", "step-00000006", "step-00000009"]
    manifest = json.loads((tmp_path / "step-00000009.json").read_text())
    assert (manifest["step"], manifest["epoch"], manifest["position"]) == (9, 1, 4)
    assert manifest["policy"] == "float32"
    assert manifest["backend"] == keras.backend.backend()
    assert manifest["versions"] == ka.version.versions()
    assert manifest["random"].keys() == manifest["epoch_random"].keys()
    assert [logs["epoch"] for logs in manifest["logs"]] == [0]
    file = tmp_path / "step-00000009.keras"
    assert manifest["size"] == file.stat().st_size
    assert manifest["sha256"] == files.sha256(file)
    for load in (ka.load_model, keras.saving.load_model):  # a model like any other
        for ours, theirs in zip(load(file).get_weights(), model.get_weights(), strict=True):
            np.testing.assert_array_equal(ours, theirs)


@once
def test_the_manifest_is_the_last_to_appear(tmp_path, monkeypatch):
    appeared = []
    replace = os.replace

    def note(source, target):
        assert os.path.exists(source)
        appeared.append(os.path.basename(target))
        replace(source, target)

    monkeypatch.setattr(os, "replace", note)
    fit(make(), Checkpoint(tmp_path, keep=1), epochs=2)
    assert appeared == [
        f"step-{step:08d}-end.{suffix}" for step in (5, 10) for suffix in ("keras", "json")
    ]


@once
def test_keeps_the_newest_and_the_best(tmp_path):
    quality = Logs(quality=[0.1, 0.9, 0.3, 0.2, math.nan])
    checkpoint = Checkpoint(tmp_path, keep=2, monitor="quality", mode="max")
    fit(make(), quality, checkpoint, epochs=5)
    assert names(tmp_path) == ["step-00000010-end", "step-00000020-end", "step-00000025-end"]
    assert checkpoint.best == tmp_path / "step-00000010-end.keras"
    assert checkpoint.latest == tmp_path / "step-00000025-end.keras"


@once
@pytest.mark.parametrize("never", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_never_best(tmp_path, never):
    checkpoint = Checkpoint(tmp_path, monitor="val_loss")
    fit(make(), Logs(val_loss=[never, 2.0, never, 1.0, never]), checkpoint, epochs=5)
    assert checkpoint.best.stem == "step-00000020-end"
    assert np.isnan(never) or not np.isfinite(checkpoint.history["val_loss"][0])


def test_weights_that_are_not_finite_displace_nothing(tmp_path):
    class Diverge(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                self.model.trainable_variables[0].assign(np.full((4, 8), np.nan))

    with pytest.raises(RuntimeError, match=r"at step 10: .*weights that are not finite.*unharmed"):
        fit(make(), Diverge(), Checkpoint(tmp_path, keep=1), epochs=3)
    assert names(tmp_path) == ["step-00000005-end"]
    goes_on = Checkpoint(tmp_path, keep=1, resume=True, on_error="continue")
    with pytest.warns(UserWarning, match=r"at step 15: .*weights that are not finite.*goes on"):
        fit(make(), Diverge(), goes_on, epochs=3)
    assert names(tmp_path) == ["step-00000005-end"]


@once
def test_the_best_survives_a_restart(tmp_path):
    quality = Logs(quality=[0.9, 0.3, 0.5, 0.4])
    arguments = {"keep": 1, "monitor": "quality", "mode": "max"}
    fit(make(), quality, Checkpoint(tmp_path, **arguments), epochs=2)
    checkpoint = Checkpoint(tmp_path, resume=True, **arguments)
    assert checkpoint.best.stem == "step-00000005-end"
    fit(make(), quality, checkpoint, epochs=4)
    assert checkpoint.best.stem == "step-00000005-end"
    assert names(tmp_path) == ["step-00000005-end", "step-00000020-end"]


@once
def test_monitor_writes_at_the_end_of_epochs_too(tmp_path):
    checkpoint = Checkpoint(tmp_path, every=3, keep=9, monitor="loss")
    fit(make(), checkpoint, epochs=2)
    assert names(tmp_path) == [
        "step-00000003", "step-00000005-end", "step-00000006", "step-00000009", "step-00000010-end",
    ]  # fmt: skip
    losses = checkpoint.history["loss"]
    assert checkpoint.best.stem == f"step-{STEPS * (1 + np.argmin(losses)):08d}-end"


@once
def test_an_unknown_monitor_is_named(tmp_path):
    checkpoint = Checkpoint(tmp_path, monitor="val_loss")
    with pytest.warns(UserWarning, match="a number: accuracy, loss.*monitor='val_loss'"):
        fit(make(), checkpoint, epochs=1)
    assert checkpoint.best is None
    assert checkpoint.latest is not None


@once
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"every": 0}, "`every` must be a positive integer. Received: every=0"),
        ({"every": "step"}, "`every` must be one of 'epoch'. Received: every='step'"),
        ({"keep": 0}, "`keep` must be a positive integer"),
        ({"mode": "best"}, "`mode` must be one of 'auto', 'min', 'max'"),
        ({"monitor": "val_quality"}, "`mode` must be 'min' or 'max' where the name"),
        ({"on_error": "ignore"}, "`on_error` must be one of 'stop', 'continue'"),
    ],
)
def test_arguments_are_checked(arguments, message):
    with pytest.raises(ValueError, match=message):
        Checkpoint("folder", **arguments)


@once
@pytest.mark.parametrize(
    ("monitor", "mode"),
    [("val_loss", "min"), ("accuracy", "max"), ("perplexity", "min"), ("val_f1_score", "max")],
)
def test_mode_by_name(monitor, mode):
    assert Checkpoint("folder", monitor=monitor).mode == mode


def flip(path):
    """Changes one bit in the middle."""
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    path.write_bytes(damaged)


def truncate(path):
    path.write_bytes(path.read_bytes()[:-100])


def empty(path):
    path.write_bytes(b"")


def other_position(path):
    path.write_text(path.read_text().replace('"position": 3', '"position": 1'))


def no_manifest(path):
    path.write_text("[1, 2]\n")


def nested(path):
    path.write_text("[" * 100_000)


def a_folder(path):
    path.unlink()
    path.mkdir()


def a_dangling_link(path):
    path.unlink()
    path.symlink_to(path.parent / "nowhere")


def swap(path):
    """Another checkpoint in its place, whole as a file."""
    path.write_bytes((path.parent / "step-00000002.keras").read_bytes())


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    """A folder with checkpoints after batches 1, 2 and 3; the model after the second."""
    folder = tmp_path_factory.mktemp("three")
    after = {}

    class Keep(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            after[batch + 1] = weights(self.model)

    fit(make(), Keep(), Checkpoint(folder, every=1), Cut("on_train_batch_end", 3))
    return content(folder), after


@pytest.fixture
def folder(tmp_path, three):
    for name, data in three[0].items():
        (tmp_path / name).write_bytes(data)
    return tmp_path


class Resumed(keras.callbacks.Callback):
    """The weights with which the first batch is trained; ends the training there."""

    def on_epoch_begin(self, epoch, logs=None):
        self.step = int(self.model.optimizer.iterations)
        self.weights = weights(self.model)
        raise KeyboardInterrupt


def resume(folder, **arguments):
    seen = Resumed()
    with pytest.raises(KeyboardInterrupt):
        fit(make(), seen, Checkpoint(folder, resume=True, **arguments))
    return seen


@pytest.mark.parametrize(
    ("suffix", "damage", "reason"),
    [
        (".keras", flip, "its sha256 does not fit"),
        (".json", other_position, "was changed: its digest does not fit"),
        *(
            pytest.param(*case, marks=once)
            for case in [
                (".keras", truncate, "bytes were written|were written"),
                (".keras", empty, "has 0 bytes"),
                (".keras", os.unlink, "is not there"),
                (".keras", swap, "its sha256 does not fit|were written"),
                (".json", flip, "03.json (was changed|is not a checkpoint's manifest)"),
                (".json", truncate, "is not a checkpoint's manifest"),
                (".json", empty, "is not a checkpoint's manifest"),
                (".json", no_manifest, "is not a checkpoint's manifest"),
                (".json", nested, "is not a checkpoint's manifest"),
                (".json", a_folder, "Is a directory"),
                (".json", a_dangling_link, "No such file"),
            ]
        ),
    ],
)
def test_the_one_before_a_damaged_one_is_used(folder, three, suffix, damage, reason):
    damage(folder / f"step-00000003{suffix}")
    with pytest.warns(UserWarning, match="(?s)goes on from step-00000002.*step-00000003: ") as seen:
        resumed = resume(folder)
    assert any(re.search(reason, str(warning.message)) for warning in seen)
    assert resumed.step == 2
    for ours, theirs in zip(resumed.weights, three[1][2], strict=True):
        np.testing.assert_array_equal(ours, theirs)
    # It counts no more, but is still there to be looked at.
    assert names(folder) == ["step-00000001", "step-00000002"]
    assert os.path.lexists(folder / "step-00000003.json.damaged")
    assert resume(folder).step == 2  # and no warning


def remake(path, **changes):
    """A manifest with other content, `None` to leave a field out, and a digest that fits."""
    content = {name: value for name, value in json.loads(path.read_text()).items()}
    del content["digest"]
    content = {name: value for name, value in (content | changes).items() if value is not ...}
    path.write_text(json.dumps(content | {"digest": manifest._digest(content)}))


def twister(position=624, **changes):
    """A random state with something else in it."""
    state = random_state()
    state["numpy"]["state"]["pos"] = position
    return state | changes


JUNK = {
    "step": ["3", -1, 2**63, 3.5, None, True, ..., 4], "epoch": [-1, "x", None, ...],
    "position": [-1, 6, "x", None, [3], ...], "steps": [0, "x", 2.5, ...],
    "random": [None, [], {}, {"python": 1}, twister(10**9), twister(python=[3, [1], None]), ...],
    "epoch_random": ["x", {"numpy": {}}, twister(-1), twister(numpy=[])],
    "metrics": [None, "x", ["x"], [[[1], 2]], [{}], ...], "logs": [None, ["x"], [{"a": 1}], {}],
    "seconds": ["x", None, ...], "monitor": [3], "value": ["x", [1]], "policy": [None, 3],
    "backend": [None], "versions": [None, []], "size": ["x", -1, 0, None], "sha256": [None, 3, ""],
    "state_sha256": [None, 1], "format": [None, "x", "99", 2.5, -1, ...], "other": [1],
}  # fmt: skip


@once
@pytest.mark.parametrize("field", JUNK)
def test_whatever_is_wrong_in_a_manifest_the_one_before_is_used(folder, three, field):
    for value in JUNK[field]:
        for name, data in three[0].items():
            (folder / name).write_bytes(data)
        remake(folder / "step-00000003.json", **{field: value})
        with pytest.warns(UserWarning, match=r"(?s)goes on from step-00000002.*step-00000003: ."):
            assert resume(folder, monitor="loss").step == 2, value
        assert (folder / "step-00000003.json.damaged").exists()
        (folder / "step-00000003.json.damaged").unlink()


@once
def test_all_damaged_is_an_error_that_lists_them(folder):
    for path in folder.glob("*.keras"):
        flip(path)
    before = content(folder)
    with pytest.raises(DamagedFileError, match=r"(?s)No checkpoint in .*00000003: .*2: .*1: "):
        resume(folder)
    assert content(folder) == before


@once
def test_a_newer_format_is_no_damage(folder):
    path = folder / "step-00000003.json"
    text = dataclasses.replace(manifest.read(path), format=99).text()
    path.write_text(text)
    with pytest.raises(NewerFileError, match=r"format 99.*Install a newer keras_attention"):
        resume(folder)


@once
def test_what_a_killed_save_left_is_removed(folder):
    expected = set(content(folder))
    for name in (
        ".step-00000004.ab12.keras", ".step-00000004-end.x_y.json", "step-00000004.keras",
        ".keras_attention-ab12.keras",
    ):  # fmt: skip
        (folder / name).write_bytes(b"half")
    for name in ("notes.txt", "model.keras", ".hidden"):  # not ours
        (folder / name).write_bytes(b"whole")
        expected.add(name)
    assert resume(folder).step == 3
    assert set(content(folder)) == expected


@once
def test_models_without_any_manifest_are_left_alone(folder):
    """They may be a copy from which manifests were left out."""
    for path in folder.glob("*.json"):
        path.unlink()
    before = content(folder)
    with pytest.warns(UserWarning, match="has models without manifests.*begins anew"):
        assert resume(folder).step == 0
    assert content(folder) == before


@once
def test_clear_removes_checkpoints_alone(folder):
    (folder / "notes.txt").write_text("kept")
    flip(folder / "step-00000003.keras")
    with pytest.warns(UserWarning, match="damaged"):
        resume(folder)
    Checkpoint(folder).clear()
    assert set(content(folder)) == {"notes.txt"}
    Checkpoint(folder / "nothing").clear()


class Counter(keras.callbacks.Callback):
    """Counts batches, and remembers it."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def on_train_batch_end(self, batch, logs=None):
        self.count += 1

    def get_state(self):
        return {"count": np.array(self.count)}

    def set_state(self, state):
        self.count = int(state["count"])


@pytest.fixture
def counted(tmp_path):
    """A folder with checkpoints of batches 1 to 3, with a counter's state."""
    counter = Counter()
    checkpoint = Checkpoint(tmp_path, every=1, state=counter)
    fit(make(), counter, checkpoint, Cut("on_train_batch_end", 3))
    assert len(list(tmp_path.glob("*.npz"))) == 3
    return tmp_path


def test_a_state_beside_the_model_comes_back(counted):
    counter = Counter()
    assert resume(counted, state=counter).step == 3
    assert counter.count == 3
    fit(make(), counter, Checkpoint(counted, keep=1, resume=True, state=counter), epochs=1)
    assert {path.name for path in counted.iterdir()} == {
        f"step-00000005-end.{suffix}" for suffix in ("json", "keras", "npz")
    }
    Checkpoint(counted).clear()
    assert not list(counted.iterdir())


@once
@pytest.mark.parametrize("damage", [flip, truncate, os.unlink])
def test_the_one_before_a_damaged_state_is_used(counted, damage):
    damage(counted / "step-00000003.npz")
    counter = Counter()
    with pytest.warns(UserWarning, match=r"(?s)goes on from step-00000002.*-00000003\.npz"):
        resume(counted, state=counter)
    assert counter.count == 2


@once
def test_a_state_must_be_passed_again(counted):
    with pytest.raises(ValueError, match=r"with a `state`\. Pass the same\. Received: state=None"):
        resume(counted)
    fit(make(), Checkpoint(counted / "without"), epochs=1)
    with pytest.raises(ValueError, match="written without a `state`"):
        resume(counted / "without", state=Counter())


@keras.saving.register_keras_serializable(package="tests")
class NoConfig(keras.layers.Dense):
    """Cannot be saved once `broken`."""

    broken = False

    def get_config(self):
        if NoConfig.broken:
            raise NotImplementedError("this layer has no config")
        return super().get_config()


class Break(keras.callbacks.Callback):
    """Makes saving fail from the second epoch on."""

    def __init__(self, how):
        super().__init__()
        self.how = how

    def on_epoch_end(self, epoch, logs=None):
        if epoch == 0:
            self.how()


def no_space(*arguments):
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("on_error", ["stop", "continue"])
@pytest.mark.parametrize(
    "fault",
    [
        "config",
        *(pytest.param(f"no space for {what}", marks=once) for what in ("model", "manifest")),
    ],
)
def test_a_failed_save_leaves_the_old_checkpoint(tmp_path, monkeypatch, fault, on_error):
    flush = files.flush

    def how():
        if fault == "config":
            monkeypatch.setattr(NoConfig, "broken", True)
        elif fault == "no space for model":
            monkeypatch.setattr(files, "flush", no_space)
        else:
            monkeypatch.setattr(
                files, "flush", lambda path: no_space() if path.suffix == ".json" else flush(path)
            )

    contents = {}

    class Look(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            contents.setdefault("old", content(tmp_path))

    model = make(layers=[NoConfig(8)])
    callbacks = [Checkpoint(tmp_path, on_error=on_error), Look(), Break(how)]
    reason = "this layer has no config" if fault == "config" else "No space left on device"
    if on_error == "stop":
        with pytest.raises(RuntimeError, match=f"step 10: .*{reason}.*unharmed"):
            fit(model, *callbacks, epochs=2)
    else:
        with pytest.warns(UserWarning, match=f"step 10: .*{reason}.*Training goes on"):
            assert len(fit(model, *callbacks, epochs=2)["loss"]) == 2
    assert len(contents["old"]) == 2
    assert content(tmp_path) == contents["old"]  # byte for byte, and nothing beside it
    monkeypatch.undo()
    resumed = make(layers=[NoConfig(8)])
    fit(resumed, Checkpoint(tmp_path, resume=True), epochs=2)  # and it can be continued
    assert_same_weights(resumed, model)


@once
@pytest.mark.parametrize("on_error", ["stop", "continue"])
def test_of_two_processes_in_one_folder_one_refuses(folder, on_error):
    before = content(folder)
    with killing.process(killing.train, str(folder.parent / "other"), 1, 100) as (_, pipe):
        assert pipe.poll(60)
        other = folder.parent / "other"
        model, checkpoint = make(), Checkpoint(other, resume=True, on_error=on_error)
        for attempt in (lambda: fit(model, checkpoint), checkpoint.clear):
            with pytest.raises(ValueError, match=r"Another process trains.*Received: folder='"):
                attempt()
        assert int(model.optimizer.iterations) == 0
    checkpoint.clear()  # it was killed
    assert resume(folder).step == 3
    assert resume(folder).step == 3  # a training that was interrupted in this process is over
    assert content(folder) == before


@once
def test_a_worker_that_outlives_its_training_does_not_keep_the_folder(tmp_path):
    folder = Folder(tmp_path)
    assert folder.claim()
    ours, theirs = os.pipe()
    began, begins = os.pipe()
    pid = os.fork()
    if pid == 0:  # as a loader's process
        os.close(theirs)
        os.write(begins, b"x")
        os.read(ours, 1)
        os._exit(0)
    os.read(began, 1)
    folder.release()
    handle = scratch.lock(tmp_path)
    os.write(theirs, b"x")
    os.waitpid(pid, 0)
    assert handle is not None
    for each in (handle, ours, theirs, began, begins):
        os.close(each)


@once
@pytest.mark.parametrize("on_error", ["stop", "continue"])
def test_a_folder_that_cannot_be_written(tmp_path, on_error):
    """A file in its place, which stops even root; and a folder that was made read-only."""
    (tmp_path / "file").write_text("in the way")
    folders = [tmp_path / "file", tmp_path / "file" / "checkpoints"]
    if os.geteuid() != 0:
        folders.append(tmp_path / "locked")
        folders[-1].mkdir(mode=0o555)
    for folder in folders:
        model, checkpoint = make(), Checkpoint(folder, on_error=on_error)
        if on_error == "stop":
            with pytest.raises(RuntimeError, match=r"Checkpoints in .* cannot be (read|written)"):
                fit(model, checkpoint, epochs=1)
            assert int(model.optimizer.iterations) == 0  # said before anything is trained
        else:
            with pytest.warns(UserWarning, match="cannot be written.*Training goes on"):
                fit(model, checkpoint, epochs=1)
            assert int(model.optimizer.iterations) == STEPS
