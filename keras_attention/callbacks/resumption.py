"""The way of a training back to the batch where its checkpoint was written."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_attention.callbacks.manifest import Manifest
from keras_attention.saving.training import set_random_state


class Resumption:
    """Makes `fit` begin with the epoch of a checkpoint, and passes over the batches before it.

    They are read, so that the data go on where they did, but not trained.

    Args:
        manifest: of the checkpoint, whose weights the model has.
        model: whose `fit` has called `on_train_begin`, and reads the first epoch next.
    """

    def __init__(self, manifest: Manifest, model: keras.Model) -> None:
        self.manifest = manifest
        self._passed_logs: dict[str, Any] | None = None
        # As in `keras.callbacks.BackupAndRestore`.
        self._initial_epoch, model._initial_epoch = model._initial_epoch, manifest.epoch

    def leave_initial_epoch(self, model: keras.Model) -> None:
        """Gives the model back the first epoch that it had."""
        model._initial_epoch = self._initial_epoch

    def enter(self, model: keras.Model, epoch: int) -> None:
        """Brings the beginning of the epoch back: its random numbers, and the metrics."""
        manifest = self.manifest
        if manifest.epoch != epoch:
            raise ValueError(
                f"The checkpoint is of epoch {manifest.epoch}. Leave `initial_epoch` of `fit` "
                f"out. Received: initial_epoch={epoch}"
            )
        # The order of the data is drawn next, as it was then.
        set_random_state(manifest.epoch_random or manifest.random)
        if manifest.position and len(model.metrics_variables) == len(manifest.metrics):
            self._set_metrics(model)

    def pass_over(self, model: keras.Model, batch: int) -> None:
        """Lets the model's next execution, from `batch` on, take its batches but no step."""
        model.train_function = partial(
            self._take_batches,
            model=model,
            last=batch + model.steps_per_execution >= self.manifest.position,
            train_function=model.train_function,
        )

    def _take_batches(
        self, *arguments: Any, model: keras.Model, last: bool, train_function: Any
    ) -> Any:
        """In the place of `train_function`, takes the batches of one execution but no step.

        JAX passes its state and an iterator and gets the state back, TensorFlow passes an
        iterator, PyTorch batches.
        """
        model.train_function = train_function
        *state, batches = arguments
        if not isinstance(batches, list):
            batches = _next(batches, model.steps_per_execution)
        if self._passed_logs is None:  # `fit` on TensorFlow makes the metrics by the first batch
            model._symbolic_build(data_batch=batches[0])
            self._set_metrics(model)
        if last:
            set_random_state(self.manifest.random)
        return (self._passed_logs, *state) if state else self._passed_logs

    def _set_metrics(self, model: keras.Model) -> None:
        variables = model.metrics_variables
        shapes = [list(variable.shape) for variable in variables]
        saved = [list(np.shape(value)) for value in self.manifest.metrics]
        if shapes != saved:
            raise ValueError(
                "The model must be compiled with the metrics of its checkpoint. The shapes of "
                f"their variables are {shapes}, in the checkpoint {saved}."
            )
        for variable, value in zip(variables, self.manifest.metrics, strict=True):
            variable.assign(ops.convert_to_tensor(value, dtype=variable.dtype))
        self._passed_logs = model.get_metrics_result()


def _next(iterator: Iterator[Any], count: int) -> list[Any]:
    """Returns the next `count` batches, or those that are left."""
    batches = [next(iterator)]  # if there are none, `fit` wants the StopIteration
    try:
        while len(batches) < count:
            batches.append(next(iterator))
    except StopIteration:
        pass
    return batches
