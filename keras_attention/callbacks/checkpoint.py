"""Checkpoints that survive a kill, and trainings that go on from them."""

import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_attention import saving
from keras_attention.callbacks.folder import Folder
from keras_attention.callbacks.manifest import Manifest
from keras_attention.callbacks.resumption import Resumption
from keras_attention.ops import checks
from keras_attention.saving import DamagedFileError, FileError, NewerFileError
from keras_attention.saving.limits import OWN
from keras_attention.saving.training import random_state, set_random_state
from keras_attention.version import versions

_LOWER = ("loss", "error", "perplexity", "crossentropy", "divergence", "mse", "mae")
_HIGHER = ("acc", "auc", "precision", "recall", "f1", "score", "iou", "bleu", "similarity")


class Checkpoint(keras.callbacks.Callback):
    """Writes a training to disk as it goes, and continues it where it was interrupted.

    Unlike `keras.callbacks.BackupAndRestore` it continues with the next batch rather than with
    the epoch's first, restores random states, keeps more than one checkpoint, never has one
    that is half written, and sees when one was damaged.

    ```python
    checkpoint = ka.callbacks.Checkpoint("run/checkpoints", every=1000, resume=True)
    model.fit(x, y, epochs=10, callbacks=[checkpoint])  # again after a kill: the same command
    ```

    The continued training is the uninterrupted one, bit for bit on the same backend and
    machine, if the data come in the same order. Those of arrays do, and those of any dataset
    that draws its order from NumPy's, Python's or PyTorch's global random numbers when an epoch
    begins, such as `keras_attention.training.Batches`. A `tf.data.Dataset` that shuffles does not:
    its random state is out of reach. Of arrays, Keras on TensorFlow has but one order after
    `keras.utils.set_random_seed`, the same in every epoch. A dataset that runs on from one epoch
    into the next (`steps_per_epoch` below its length, or a generator) must itself be brought to
    where the interrupted epoch began.

    Batches before the checkpoint are read but not trained, and other callbacks see them. Those
    have no states here, but for the one in `state`; put this one last, so that what they change
    is in the checkpoint. Make and compile the model as for the interrupted training. One folder is
    for one training.

    Args:
        folder: of the checkpoints; made if it is not there. Each is a `.keras` file, which
            `ka.load_model` reads, and a `.json` file beside it.
        every: `"epoch"`, or a number of batches. The end of training is always written, and if
            `model.stop_training` is set within an epoch, the place where it stopped.
        keep: how many of the newest to keep.
        monitor: name of a log, such as `"val_loss"`: the checkpoint with its best value is kept,
            too. One is written at the end of each epoch then.
        mode: `"min"`, `"max"`, or `"auto"` to go by the name of the log.
        resume: continue from the newest checkpoint in the folder, if there is one.
        state: what else a checkpoint shall bring back, such as a dataset that is made meanwhile:
            an object with `get_state()`, a mapping of arrays by name, and `set_state(state)`.
        on_error: what happens when a checkpoint cannot be written, because the disk is full or
            weights are not finite: `"stop"` the training with an error, or `"continue"` with a
            warning. Earlier checkpoints are unharmed.

    Raises:
        ValueError: of an argument; of `fit`, if the folder has checkpoints and `resume` is
            `False`, if they are of another training, or if another process trains there.
        DamagedFileError: of `fit`, if no checkpoint in the folder is whole. Where an earlier one
            is, it is used, with a warning, and the damaged are renamed.
        RuntimeError: of `fit`, if a checkpoint cannot be written and `on_error` is `"stop"`.
    """

    _start: float | None  # as `time.perf_counter` has it
    _seconds: float  # before that
    _logs: list[dict[str, Any]]  # of the complete epochs
    _step: int
    _epoch: int
    _position: int
    _epoch_random: dict[str, Any]
    _stopped: bool  # with the last batch
    _resumed: Resumption | None  # until its epoch begins
    _within: Resumption | None  # until its last batch was passed over

    def __init__(
        self,
        folder: str | Path,
        *,
        every: int | str = "epoch",
        keep: int = 3,
        monitor: str | None = None,
        mode: str = "auto",
        resume: bool = False,
        state: Any = None,
        on_error: str = "stop",
    ) -> None:
        super().__init__()
        if isinstance(every, str):
            checks.one_of("every", every, ("epoch",))
        else:
            checks.positive_int(every=every)
        checks.positive_int(keep=keep)
        checks.one_of("mode", mode, ("auto", "min", "max"))
        checks.one_of("on_error", on_error, ("stop", "continue"))
        self.every = every
        self.keep = keep
        self.monitor = monitor
        self.mode = _mode(monitor) if mode == "auto" and monitor else mode
        self.resume = resume
        self.state = state
        self.on_error = on_error
        self._folder = Folder(folder)
        self._begin()

    @property
    def latest(self) -> Path | None:
        """The newest checkpoint's model."""
        manifests = self._folder.manifests()
        return manifests[-1].with_suffix(".keras") if manifests else None

    @property
    def best(self) -> Path | None:
        """The model of the checkpoint with the best value of `monitor`; NaN is never best."""
        best = self._best()
        return best.with_suffix(".keras") if best else None

    @property
    def history(self) -> dict[str, list[Any]]:
        """The logs of all complete epochs, those before an interruption included, by name."""
        history: dict[str, list[Any]] = {}
        for logs in self._logs:
            for name, value in logs.items():
                if name != "epoch":
                    history.setdefault(name, []).append(value)
        return history

    @property
    def seconds(self) -> float:
        """How long training took, as far as it was not lost by an interruption."""
        running = 0.0 if self._start is None else time.perf_counter() - self._start
        return self._seconds + running

    def clear(self) -> None:
        """Removes all checkpoints in the folder, and no other file.

        Raises:
            ValueError: another process trains there.
        """
        self._claim()
        self._folder.clear()

    def on_train_begin(self, logs: dict | None = None) -> None:
        self._begin()
        self._start = time.perf_counter()
        manifests: list[Path] = []
        self._claim()
        with self._errors("be read", stop=self.resume):
            manifests = self._folder.manifests()
        if manifests and not self.resume:
            raise ValueError(
                f"`folder` holds checkpoints of a training already, {len(manifests)} of them. Pass "
                f"`resume=True` to continue it, or another folder. Received: "
                f"folder={str(self._folder.path)!r}"
            )
        with self._errors("be written"):
            self._folder.prepare()
        self._claim()  # if it was not there before
        if manifests:
            self._continue(manifests)
        elif self.resume and self._folder.orphans():
            warnings.warn(
                f"{self._folder.path} has models without manifests, as when the first save is "
                "killed: training begins anew.",
                stacklevel=2,
            )

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._epoch, self._position = epoch, 0
        resumed, self._resumed = self._resumed, None
        if resumed:
            resumed.leave_initial_epoch(self._model)
            resumed.enter(self.model, epoch)
            self._within = resumed if resumed.manifest.position else None
        self._epoch_random = random_state()

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        if self._within and batch < self._within.manifest.position:
            # `self.model` would bring home JAX's state for nothing.
            self._within.pass_over(self._model, batch)

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        before, self._position = self._position, batch + 1
        if self._steps is not None:  # the last of several batches per execution may be fewer
            self._position = min(self._position, self._steps)
        if self._within:
            if self._position >= self._within.manifest.position:
                self._within = None
            return
        step, self._step = self._step, self._step + self._position - before
        self._stopped = bool(self._model.stop_training)
        due = isinstance(self.every, int) and self._step // self.every > step // self.every
        if due or self._stopped:
            self._save(epoch=self._epoch, position=self._position)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        stopped = self._stopped if self._steps is None else self._position < self._steps
        if stopped:  # within the epoch: there is more of it to train
            return
        logs = {name: ops.convert_to_numpy(value).tolist() for name, value in (logs or {}).items()}
        self._logs.append({"epoch": epoch, **logs})
        last = epoch + 1 >= self.params["epochs"] or self.model.stop_training
        if self.every == "epoch" or self.monitor or last:
            self._save(epoch=epoch + 1, position=0, logs=logs)

    def on_train_end(self, logs: dict | None = None) -> None:
        self._seconds, self._start = self.seconds, None
        self._folder.release()
        if self._resumed:  # nothing was left to train
            self._resumed.leave_initial_epoch(self._model)
            self._resumed = None

    def _begin(self) -> None:
        """Sets the state of a training that has not begun."""
        self._seconds = 0.0
        self._start = None
        self._logs = []
        self._step = self._epoch = self._position = 0
        self._stopped = False
        self._epoch_random = {}
        self._resumed = self._within = None

    @property
    def _steps(self) -> int | None:
        """Batches per epoch, if known."""
        return self.params.get("steps")

    def _claim(self) -> None:
        if not self._folder.claim():
            raise ValueError(
                "Another process trains with the checkpoints in `folder`. Wait until it ends, or "
                f"pass another folder. Received: folder={str(self._folder.path)!r}"
            )

    def _best(self) -> Path | None:
        return self._folder.best(self.monitor, self.mode) if self.monitor else None

    def _save(self, *, epoch: int, position: int, logs: dict[str, Any] | None = None) -> None:
        """Writes a checkpoint from which training goes on at batch `position` of `epoch`."""
        with self._errors(f"be written at step {self._step}"):
            model = self.model
            if not _finite(model):
                raise ValueError(
                    "the model has weights that are not finite, from which no training goes on"
                )
            manifest = Manifest(
                step=self._step,
                epoch=epoch,
                position=position,
                steps=self._steps,
                random=random_state(),
                epoch_random=self._epoch_random if position else None,
                metrics=_values(model.metrics_variables) if position else [],
                logs=self._logs,
                seconds=self.seconds,
                monitor=self.monitor,
                value=self._value(logs),
                policy=model.dtype_policy.name,
                backend=keras.backend.backend(),
                versions=versions(),
            )
            state = None if self.state is None else self.state.get_state()
            self._folder.write(model, manifest, state)
            self._folder.prune(self.keep, self._best())

    def _value(self, logs: dict[str, Any] | None) -> float | None:
        """Returns the log named by `monitor`, or `None` within an epoch."""
        if logs is None or self.monitor is None:
            return None
        numbers = {name: value for name, value in logs.items() if isinstance(value, (int, float))}
        if self.monitor not in numbers:
            warnings.warn(
                f"`monitor` must be the name of a log that is a number: {', '.join(numbers)}. "
                f"Received: monitor={self.monitor!r}. This checkpoint cannot become the best.",
                stacklevel=2,
            )
        return numbers.get(self.monitor)

    def _continue(self, manifests: list[Path]) -> None:
        """Puts the newest checkpoint that is whole into the model."""
        model = self.model
        if not model.built:
            raise ValueError(
                "A training can be continued only with a built model. Call it on a batch of data "
                f"before `fit`, or give it an `Input`. Received: model={model.name!r}"
            )
        faults: dict[Path, str] = {}
        for path in reversed(manifests):
            try:
                manifest = self._folder.verified(path)
                self._check(manifest)
                saving.restore(model, path.with_suffix(".keras"), limits=OWN)
                for random in (manifest.epoch_random, manifest.random):
                    if random is not None:
                        set_random_state(random)
                if self.state is not None:
                    self.state.set_state(self._folder.state(path))
                break
            except NewerFileError:
                raise
            except (FileError, OSError) as error:
                faults[path] = f"{path.stem}: {error}"
        else:
            raise DamagedFileError(
                f"No checkpoint in {self._folder.path} can be used. To begin anew, pass another "
                "folder or delete this one.\n" + "\n".join(faults.values())
            )
        if faults:
            warnings.warn(
                f"Training goes on from {path.stem}, because later checkpoints in "
                f"{self._folder.path} are damaged; they are renamed to *.damaged.\n"
                + "\n".join(faults.values()),
                stacklevel=2,
            )
            with self._errors("be written"):
                for damaged in faults:
                    self._folder.set_aside(damaged)
        self._resumed = Resumption(manifest, model)
        self._step, self._logs, self._seconds = manifest.step, manifest.logs, manifest.seconds

    def _check(self, manifest: Manifest) -> None:
        """Raises `ValueError` if the model or the data are seen not to be the checkpoint's."""
        policy = self.model.dtype_policy.name
        if manifest.policy != policy:
            raise ValueError(
                f"The model must have the dtype policy of its checkpoint, {manifest.policy}: "
                f"`keras.config.set_dtype_policy({manifest.policy!r})` before it is made. "
                f"Received: a model of policy {policy}"
            )
        if bool(manifest.state_sha256) != (self.state is not None):
            raise ValueError(
                f"The checkpoint was written {'with' if manifest.state_sha256 else 'without'} a "
                f"`state`. Pass the same. Received: state={self.state!r}"
            )
        if manifest.epoch > self.params["epochs"]:
            raise ValueError(
                f"The checkpoint has {manifest.epoch} epochs behind it. Pass `epochs` to `fit` as "
                f"their number from the beginning. Received: epochs={self.params['epochs']}"
            )
        if not manifest.position:
            return
        if None not in (manifest.steps, self._steps) and manifest.steps != self._steps:
            raise ValueError(
                f"The checkpoint is within an epoch of {manifest.steps} batches. Pass the same "
                f"data and batch size. Received: an epoch of {self._steps} batches"
            )
        several = self.model.steps_per_execution
        if manifest.position % several and manifest.position != self._steps:
            raise ValueError(
                f"The checkpoint is after batch {manifest.position} of an epoch, where no "
                "execution of several ends. Pass `steps_per_execution=1` to `model.compile`. "
                f"Received: steps_per_execution={several}"
            )

    @contextmanager
    def _errors(self, what: str, *, stop: bool = False) -> Iterator[None]:
        """Turns an error inside into what the user asked for."""
        try:
            yield
        except Exception as error:
            message = f"Checkpoints in {self._folder.path} cannot {what}: {error!r}."
            if stop or self.on_error == "stop":
                raise RuntimeError(
                    f"{message} Earlier ones are unharmed. To train on regardless pass "
                    "`on_error='continue'`."
                ) from error
            warnings.warn(f"{message} Training goes on.", stacklevel=2)


def _finite(model: keras.Model) -> bool:
    """Whether all weights and the optimizer's variables are finite."""
    arrays = (ops.convert_to_numpy(v.value) for v in (*model.weights, *model.optimizer.variables))
    return all(np.isfinite(array).all() for array in arrays)


def _values(variables: list[keras.Variable]) -> list[Any]:
    return [ops.convert_to_numpy(variable.value).tolist() for variable in variables]


def _mode(monitor: str) -> str:
    """Returns `"min"` if lower values of a log are better, else `"max"`, by its name."""
    lower = any(part in monitor for part in _LOWER)
    higher = any(part in monitor for part in _HIGHER)
    if lower == higher:
        raise ValueError(
            "`mode` must be 'min' or 'max' where the name of the log does not tell. Received: "
            f"monitor={monitor!r}, mode='auto'"
        )
    return "min" if lower else "max"
