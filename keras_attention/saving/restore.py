"""Putting a saved training back into the model that it was of."""

from pathlib import Path

import keras

from keras_attention.saving import archive, resuming, scratch, training, weights
from keras_attention.saving.errors import DamagedFileError, FileError
from keras_attention.saving.limits import DEFAULT, Limits


def restore(model: keras.Model, path: str | Path, *, limits: Limits = DEFAULT) -> None:
    """Gives a compiled model the weights, the optimizer and the random states of a saved one.

    Other than `load_model(path, resume=True)` this builds nothing: architecture and optimizer
    are the model's own, and must be those of the file, which any backend may have saved.

    Args:
        model: built and compiled.
        path: `.keras` file.
        limits: of its size.

    Raises:
        FileNotFoundError: there is no such file.
        DamagedFileError: it is damaged, or of another model.
        RefusedFileError: its weights are not finite, or exceed the limits.
    """
    with scratch.folder() as folder:
        saved = archive.unpack(path, folder, limits)
        try:
            stored = weights.read(saved.weights, limits, optimizer=True)
            state = training.read(saved)
            resuming.restore_optimizer(model, stored.optimizer)
            model.load_weights(saved.weights)
            if state is not None:
                training.restore_seeds(model, state)
                training.set_random_state(state["random"])
        except FileError as error:
            raise error.of(path) from error.__cause__
        except ValueError as error:  # of Keras, whose weights do not fit
            raise DamagedFileError(f"{path} is of another model: {error}") from error
