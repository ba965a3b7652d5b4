"""Trainings that end early: by Ctrl-C, by a signal, by a loss that is no number."""

import json
import os
import signal
import threading
from dataclasses import replace

import keras
import numpy as np
import pytest

from zoo.harness import checkpoints, experiment
from zoo.harness.interruption import Interrupted, StopWhenAsked
from zoo.recipes.iris import recipe

pytestmark = pytest.mark.runs_on("torch")


class At(keras.callbacks.Callback):
    """Calls `action` once, after a batch of an epoch."""

    def __init__(self, action, *, epoch=1, batch=2, hook="on_train_batch_end"):
        super().__init__()
        self.epoch = -1

        def act(number, logs=None):
            if self.epoch == epoch and number == batch:
                action(self)

        setattr(self, hook, act)

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch


def kill(number, times=1):
    return lambda callback: [os.kill(os.getpid(), number) for _ in range(times)]


def train(folder, *callbacks, resume=False, **changes):
    made = replace(recipe(variant="tiny", seed=0), epochs=3, callbacks=callbacks, **changes)
    return experiment.train(made, checkpoint_folder=folder, resume=resume)


def newest(folder):
    return max(path.stem for path in folder.glob("step-*.json"))


@pytest.mark.parametrize(
    ("name", "where", "saved"),
    [
        ("SIGINT", {}, "step-00000011"),
        ("SIGHUP", {}, "step-00000011"),
        # The validation of the epoch comes to its end first.
        ("SIGTERM", {"hook": "on_test_batch_end", "batch": 0}, "step-00000016-end"),
        # Nothing is left to train, but to measure and to draw.
        ("SIGTERM", {"epoch": 2, "batch": 7}, "step-00000024-end"),
    ],
)
def test_what_was_trained_is_saved(tmp_path, capsys, name, where, saved):
    number = getattr(signal, name)
    before = signal.getsignal(number)
    with pytest.raises(Interrupted, match=name) as error:
        train(tmp_path, At(kill(number), **where))
    assert error.value.number == number
    assert newest(tmp_path) == saved
    assert f"{name}: training ends after this batch and is saved." in capsys.readouterr().out
    assert signal.getsignal(number) is before
    assert not json.loads((tmp_path / "training.json").read_text())["complete"]
    assert len(train(tmp_path, resume=True).history["loss"]) == 3


def test_a_second_signal_ends_it_at_once(tmp_path):
    with pytest.raises(KeyboardInterrupt) as error:
        train(tmp_path, At(kill(signal.SIGINT, times=2)))
    assert not isinstance(error.value, Interrupted)
    assert newest(tmp_path) == "step-00000008-end"


def test_a_signal_that_is_ignored_stays_ignored(tmp_path):
    """SIGHUP is ignored under `nohup`."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert train(tmp_path, At(kill(signal.SIGHUP))).history["loss"]
    finally:
        signal.signal(signal.SIGHUP, before)


def test_another_thread_than_the_main_one_can_train():
    numbers = []

    def enter():
        with StopWhenAsked() as stop:
            numbers.append(stop.number)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert numbers == [None]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_loss_that_is_no_number_ends_training(tmp_path, value):
    def break_weights(callback):
        callback.model.trainable_variables[-1].assign(
            np.full(callback.model.trainable_variables[-1].shape, value, "float32")
        )

    with pytest.raises(FloatingPointError, match=r"The loss of epoch 2 is (nan|inf).*unharmed"):
        train(tmp_path, At(break_weights))
    assert newest(tmp_path) == "step-00000008-end"  # the last good one
    assert len(train(tmp_path, resume=True).history["loss"]) == 3


@pytest.mark.parametrize("content", ["", "{", "[]", '{"training": 1}', "\udcff", "[" * 100_000])
def test_damage_to_what_tells_whose_checkpoints_they_are_is_said(tmp_path, content):
    (tmp_path / "training.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    for resume in (True, False):
        with pytest.raises(ValueError, match=r"training\.json is damaged: .*delete .* --resume"):
            checkpoints.begin({"seed": 1}, tmp_path, resume=resume)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batch_size": 5}, "batch_size=16 there, 5 here"),
        ({"data": "other"}, "data_sha256='.*' there, '.*' here"),
    ],
)
def test_what_differs_from_the_interrupted_training_is_said(tmp_path, change, message):
    with pytest.raises(Interrupted):
        train(tmp_path, At(kill(signal.SIGTERM)))
    if "data" in change:
        data = recipe(variant="tiny", seed=0).data
        change = {"data": replace(data, train=tuple(part[::-1] for part in data.train))}
    with pytest.raises(ValueError, match=f"of another training: {message}"):
        train(tmp_path, resume=True, **change)
