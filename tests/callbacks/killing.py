"""A training that saves all the time, in processes that can be killed.

They are forked from one that has imported Keras but computed nothing, so each begins at once.
"""

import multiprocessing
import resource
from contextlib import contextmanager

import keras
import numpy as np

import keras_attention as ka
from keras_attention.training.batches import Batches

BATCHES = 6


@contextmanager
def process(function, *arguments):
    """Runs `function(connection, *arguments)` in a process; yields it and the other end."""
    context = multiprocessing.get_context("forkserver")
    # Keras imports TensorFlow with the first save, on every backend, if it is installed.
    context.set_forkserver_preload([__name__, "tensorflow"])
    ours, theirs = context.Pipe()
    child = context.Process(target=function, args=(theirs, *arguments), daemon=True)
    child.start()
    theirs.close()
    try:
        yield child, ours
    finally:
        child.kill()
        child.join()


def make():
    """Small, with dropout and an optimizer that has moments."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(8, "tanh", kernel_initializer="ones"),
            keras.layers.Dropout(0.3),
            keras.layers.Dense(1, kernel_initializer="ones"),
        ]
    )
    model.compile("adam", "mse")
    return model


def data():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(8 * BATCHES, 4)), rng.normal(size=(8 * BATCHES, 1))
    return Batches(x.astype("float32"), y.astype("float32"), batch_size=8)


class Tell(keras.callbacks.Callback):
    """Sends from which step training begins, and when the first batch is trained."""

    def __init__(self, send):
        super().__init__()
        self.send = send
        self.step = None

    def on_train_batch_begin(self, batch, logs=None):
        if self.step is None:
            self.step = int(self.model.optimizer.iterations)
            self.send(("begun", self.step))

    def on_train_batch_end(self, batch, logs=None):
        if self.step != -1 and int(self.model.optimizer.iterations) > self.step:
            self.send(("trained", None))
            self.step = -1


def train(connection, folder, every, epochs):
    """Trains to the end, from where the checkpoints in `folder` are, and sends the weights."""
    model = make()
    callbacks = []
    if folder is not None:  # told of a batch before it is saved
        checkpoint = ka.callbacks.Checkpoint(folder, every=every, keep=2, resume=True)
        callbacks = [Tell(connection.send), checkpoint]
    model.fit(data(), shuffle=False, epochs=epochs, verbose=0, callbacks=callbacks)
    connection.send(("done", model.get_weights()))


def train_with_limit(connection, folder, on_error, limit):
    """Trains two epochs, the second with files limited to `limit` bytes; sends what happened."""

    class Limit(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    model = make()
    checkpoint = ka.callbacks.Checkpoint(folder, on_error=on_error)
    try:
        model.fit(data(), shuffle=False, epochs=2, verbose=0, callbacks=[checkpoint, Limit()])
        connection.send(("trained", int(model.optimizer.iterations)))
    except RuntimeError as error:
        connection.send(("stopped", str(error)))
