"""A small training that can be interrupted anywhere, and what it did."""

import random

import keras
import numpy as np

from keras_attention.training.batches import Batches
from tests.backend import to_numpy

ROWS, BATCH_SIZE, EPOCHS = 37, 8, 3
STEPS = 5  # batches per epoch, the last of them smaller


class Interrupt(Exception):
    pass


class Cut(keras.callbacks.Callback):
    """Interrupts at the `call`-th call of a hook."""

    def __init__(self, hook, call=1):
        super().__init__()
        self.calls = 0

        def interrupt(*args, **kwargs):
            self.calls += 1
            if self.calls == call:
                raise Interrupt

        setattr(self, hook, interrupt)


class Record(keras.callbacks.Callback):
    """The logs after each batch, by the number of batches trained."""

    def __init__(self):
        super().__init__()
        self.logs = {}

    def on_train_batch_end(self, batch, logs=None):
        logs = {name: float(value) for name, value in logs.items()}
        # A batch that is passed over leaves the logs of the one before the checkpoint.
        assert self.logs.setdefault(int(self.model.optimizer.iterations), logs) == logs


def arrays():
    rng = np.random.default_rng(0)
    return rng.normal(size=(ROWS, 4)).astype("float32"), rng.integers(0, 3, ROWS)


def batches():
    return {"x": Batches(*arrays(), batch_size=BATCH_SIZE), "shuffle": False}


def plain():
    x, y = arrays()
    return {"x": x, "y": y, "batch_size": BATCH_SIZE}


def make(*, width=8, layers=(), metrics=("accuracy",), disturbed=True, **compile_arguments):
    """A model with dropout, non-trainable weights, moments and a schedule.

    `width=None` leaves it to `fit` to build it. It runs eagerly, for compiling takes longer than
    training.
    """
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            *([keras.Input((4,))] if width else []),
            keras.layers.Dense(width or 8, "relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.3),
            *layers,
            keras.layers.Dense(3),
        ]
    )
    schedule = keras.optimizers.schedules.CosineDecay(0.1, 15)
    model.compile(
        keras.optimizers.AdamW(schedule),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=list(metrics),
        **{"run_eagerly": True, **compile_arguments},
    )
    if disturbed:  # a checkpoint must bring back what this changes
        random.random(), np.random.rand(random.randrange(1, 9))
    return model


def fit(model, *callbacks, data=batches, epochs=EPOCHS, **arguments):
    """Trains until it is done or interrupted; the history, if it was not."""
    try:
        return model.fit(
            **data(), epochs=epochs, verbose=0, callbacks=list(callbacks), **arguments
        ).history
    except Interrupt:
        return None


def weights(model):
    return [to_numpy(variable) for variable in model.variables]


def assert_same_weights(model, other):
    for ours, theirs in zip(weights(model), weights(other), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def content(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
