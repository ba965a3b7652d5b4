"""A training that was interrupted and continued is the uninterrupted one, bit for bit."""

import keras
import pytest

from keras_attention.callbacks import Checkpoint
from tests.backend import BACKEND
from tests.callbacks.training import (
    STEPS,
    Cut,
    Record,
    arrays,
    assert_same_weights,
    batches,
    fit,
    make,
    plain,
)

# Before the first batch, in an epoch, after its last batch, as the next begins, and at its end.
CUTS = [
    ("on_train_batch_begin", 1),
    ("on_train_batch_end", 1),
    ("on_train_batch_end", 3),
    ("on_test_begin", 1),
    ("on_epoch_begin", 2),
    ("on_epoch_end", 1),
]
WITHIN, END = ("on_train_batch_end", 3), ("on_epoch_end", 1)
SETTINGS = {  # data, arguments of `compile`, `every`, interruptions
    "batches": (batches, {}, 1, CUTS),
    "arrays": (plain, {}, 1, [WITHIN, END]),
    "not every batch": (batches, {}, 2, [("on_train_batch_end", 4), ("on_epoch_end", 2)]),
    "epochs": (batches, {}, "epoch", [("on_train_batch_end", 7), END]),
    "compiled": (batches, {"run_eagerly": False}, 1, [WITHIN, END]),
}
if BACKEND != "torch":  # has no `steps_per_execution`
    several = {"run_eagerly": False, "steps_per_execution": 2}
    SETTINGS["several steps at once"] = (batches, several, 1, [("on_train_batch_end", 2), END])


def lives(folder, cuts, record, *, every, data, compiled):
    """Trains with interruptions, each time with a new model; the last one and its callback."""
    for cut in [*cuts, None]:
        model = make(**compiled)
        checkpoint = Checkpoint(folder, every=every, resume=True)
        # The record stands first: it shall have the batch that an interruption follows.
        callbacks = [record, checkpoint, *([Cut(*cut)] if cut else [])]
        history = fit(model, *callbacks, data=data, validation_data=arrays())
        assert (history is None) == (cut is not None), f"{cut} did not interrupt"
    return model, checkpoint


@pytest.mark.parametrize("name", SETTINGS)
def test_interrupted_is_uninterrupted(tmp_path, name):
    data, compiled, every, cuts = SETTINGS[name]
    whole, logs = make(disturbed=False, **compiled), Record()
    history = fit(whole, logs, data=data, validation_data=arrays())

    record = Record()
    model, checkpoint = lives(tmp_path, cuts, record, every=every, data=data, compiled=compiled)
    assert record.logs == logs.logs
    assert checkpoint.history == history
    assert_same_weights(model, whole)


@pytest.mark.runs_on("torch")
def test_orders_differ_from_epoch_to_epoch():
    """Otherwise the tests above would not see a random state that is not restored."""
    seen = []

    class Seen(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append([i for b in range(data["x"].num_batches) for i in data["x"].rows(b)])

    data = batches()
    fit(make(), Seen(), data=lambda: data)
    assert len({tuple(order) for order in seen}) == len(seen) == 3


def endless():
    x, y = arrays()
    for start in range(0, len(x), 8):
        yield x[start : start + 8], y[start : start + 8]


@pytest.mark.filterwarnings("ignore:.*ran out of data")
@pytest.mark.parametrize("stop", [1, STEPS])
def test_epoch_of_unknown_length(tmp_path, stop):
    def data():
        return {"x": endless()}

    whole = make(disturbed=False)
    history = fit(whole, data=data, epochs=1)
    fit(make(), Checkpoint(tmp_path, every=1), Cut("on_train_batch_end", stop), data=data, epochs=1)
    model, checkpoint = make(), Checkpoint(tmp_path, every=1, resume=True)
    fit(model, checkpoint, data=data, epochs=1)
    assert checkpoint.history == history
    assert_same_weights(model, whole)


@pytest.mark.filterwarnings("ignore:.*ran out of data")
@pytest.mark.parametrize("known", [True, False])
def test_stop_within_an_epoch_is_where_training_goes_on(tmp_path, known):
    def data():
        return batches() if known else {"x": endless()}

    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training = batch == 2

    epochs = 2 if known else 1
    whole = make(disturbed=False)
    history = fit(whole, data=data, epochs=epochs)
    checkpoint = Checkpoint(tmp_path)
    fit(make(), Stop(), checkpoint, data=data, epochs=epochs)
    assert checkpoint.latest.name == "step-00000003.keras"
    assert checkpoint.history == {}
    model, checkpoint = make(), Checkpoint(tmp_path, resume=True)
    fit(model, checkpoint, data=data, epochs=epochs)
    assert checkpoint.history == history
    assert_same_weights(model, whole)


def test_more_epochs_after_the_end(tmp_path):
    whole = make(disturbed=False)
    history = fit(whole, epochs=2)
    fit(make(), Checkpoint(tmp_path), epochs=1)
    for epochs in (1, 2):  # the first of these finds nothing to do
        model, checkpoint = make(), Checkpoint(tmp_path, resume=True)
        fit(model, checkpoint, epochs=epochs)
        assert int(model.optimizer.iterations) == epochs * STEPS
    assert checkpoint.history == history
    assert checkpoint.seconds > 0
    assert_same_weights(model, whole)
    # A later training without the callback begins with its first epoch and batch.
    assert len(fit(model, epochs=1)["loss"]) == 1
    assert int(model.optimizer.iterations) == 3 * STEPS


def test_interruption_while_batches_are_passed_over(tmp_path):
    """Nothing of the callback stays behind in the model."""
    fit(make(), Checkpoint(tmp_path, every=1), Cut("on_train_batch_end", 4))
    model = make()
    fit(model, Checkpoint(tmp_path, resume=True), Cut("on_train_batch_end", 2))
    assert int(model.optimizer.iterations) == 4
    fit(model, epochs=1)
    assert int(model.optimizer.iterations) == 4 + STEPS


@pytest.mark.runs_on("torch")
def test_resume_without_checkpoints_begins(tmp_path):
    whole = make(disturbed=False)
    fit(whole, epochs=1)
    model = make(disturbed=False)
    fit(model, Checkpoint(tmp_path / "new" / "folder", resume=True), epochs=1)
    assert_same_weights(model, whole)


@pytest.mark.runs_on("torch")
def test_checkpoints_are_not_overwritten_without_resume(tmp_path):
    fit(make(), Checkpoint(tmp_path), epochs=1)
    with pytest.raises(ValueError, match=r"holds checkpoints of a training already.*`resume=True`"):
        fit(make(), Checkpoint(tmp_path), epochs=1)


def fewer():
    x, y = arrays()
    return {"x": x, "y": y, "batch_size": 16}


@pytest.mark.parametrize(
    ("model", "arguments", "message"),
    [
        ({}, {"data": fewer}, "within an epoch of 5 batches.*Received: an epoch of 3"),
        ({}, {"initial_epoch": 1}, "Leave `initial_epoch` of `fit` out"),
        ({"metrics": ()}, {}, "compiled with the metrics of its checkpoint"),
        (
            {"width": 9},
            {},
            r"No checkpoint in .* can be used.*\nstep-00000003: (.|\n)*other shapes",
        ),
    ],
)
def test_what_does_not_fit_is_explained(tmp_path, model, arguments, message):
    fit(make(), Checkpoint(tmp_path, every=1), Cut("on_train_batch_end", 3))
    with pytest.raises(ValueError, match=message):
        fit(make(**model), Checkpoint(tmp_path, resume=True), **arguments)


@pytest.mark.runs_on("torch")
def test_epochs_and_policy_that_do_not_fit_are_explained(tmp_path):
    fit(make(), Checkpoint(tmp_path), epochs=2)
    with pytest.raises(ValueError, match=r"has 2 epochs behind it.*Received: epochs=1"):
        fit(make(), Checkpoint(tmp_path, resume=True), epochs=1)
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        with pytest.raises(ValueError, match=r"set_dtype_policy\('float32'\).*mixed_bfloat16"):
            fit(make(), Checkpoint(tmp_path, resume=True))
    finally:
        keras.config.set_dtype_policy("float32")


def test_model_that_fit_builds(tmp_path):
    fit(make(width=None), Checkpoint(tmp_path), epochs=1)
    model = make(width=None)
    if BACKEND == "tensorflow":  # where `fit` builds it with the first batch
        with pytest.raises(ValueError, match="only with a built model"):
            fit(model, Checkpoint(tmp_path, resume=True), epochs=2)
        return
    fit(model, Checkpoint(tmp_path, resume=True), epochs=2)
    whole = make(width=None, disturbed=False)
    fit(whole, epochs=2)
    assert_same_weights(model, whole)


def test_position_between_executions_is_explained(tmp_path):
    fit(make(), Checkpoint(tmp_path, every=1), Cut("on_train_batch_end", 3))
    explained = r"after batch 3 of an epoch.*`steps_per_execution=1`"
    if BACKEND == "torch":  # Keras refuses first
        explained = "must be 1 with the PyTorch backend"
    with pytest.raises(ValueError, match=explained):
        fit(make(steps_per_execution=2), Checkpoint(tmp_path, resume=True))
