"""Callbacks that end a training early: when a signal asks for it, or when the loss is no number."""

import math
import os
import signal
import threading
from contextlib import AbstractContextManager
from typing import Any, Self

import keras

_SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]


class Interrupted(KeyboardInterrupt):
    """A training that Ctrl-C or a signal ended; what was trained is saved.

    Attributes:
        number: of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(f"Training was interrupted by {signal.Signals(number).name}.")
        self.number = number


class StopWhenAsked(keras.callbacks.Callback, AbstractContextManager["StopWhenAsked"]):
    """Ends `fit` after the batch in which Ctrl-C, SIGTERM or SIGHUP comes; then `Interrupted`.

    A second signal has its usual effect at once. Signals that the process ignores, as under
    `nohup`, stay ignored.

    ```python
    with StopWhenAsked() as stop:
        model.fit(x, y, callbacks=[stop, checkpoint])  # the checkpoint sees that training stops
    ```

    Raises:
        Interrupted: at the end of the block.
    """

    def __init__(self) -> None:
        super().__init__()
        self.number: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():  # others have no handlers
            for number in _SIGNALS:
                if signal.getsignal(number) != signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        self._restore()
        if kind is None and self.number is not None:
            raise Interrupted(self.number)

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        if self.number is not None:
            self.model.stop_training = True

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self.on_train_batch_end(epoch)

    def _note(self, number: int, frame: Any) -> None:
        if self.number is not None:
            self._restore()
            os.kill(os.getpid(), number)
            return
        self.number = number
        print(
            f"\n{signal.Signals(number).name}: training ends after this batch and is saved. Once "
            "more ends it at once.",
            flush=True,
        )

    def _restore(self) -> None:
        while self._before:
            signal.signal(*self._before.popitem())


class StopAtNaN(keras.callbacks.Callback):
    """Raises `FloatingPointError` at the end of an epoch whose loss is no number.

    Unlike `keras.callbacks.TerminateOnNaN` it does not let the training pass for complete, nor
    has each batch wait for its loss: the epoch's, a mean, tells as well.
    """

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        loss = (logs or {}).get("loss", 0.0)
        if not math.isfinite(loss):
            raise FloatingPointError(
                f"The loss of epoch {epoch + 1} is {loss}, from which no training recovers. Lower "
                "the learning rate, or train in float32. Checkpoints from before are unharmed; to "
                "go on from them unchanged leads here again."
            )
