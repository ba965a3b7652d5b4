"""The end of a training that has learned what there is to be learned."""

from collections.abc import Mapping

import keras
import numpy as np


class StopEarly(keras.callbacks.Callback):
    """Ends a training when the held-out loss has not fallen for some epochs, and keeps the best.

    Unlike `keras.callbacks.EarlyStopping` it has a state that a checkpoint brings back, so that a
    training that was interrupted chooses among all of its epochs. It takes a model with the
    optimizer's rate still high if it must: the rate falls by a schedule over all epochs.

    Args:
        monitor: what must fall, or rise if `mode` is `"max"`.
        patience: epochs without progress after which the training ends.
        mode: `"min"` or `"max"`.
    """

    def __init__(self, monitor: str = "val_loss", *, patience: int = 5, mode: str = "min") -> None:
        super().__init__()
        self.monitor = monitor
        self.patience = patience
        self.mode = mode
        self.best = np.inf
        self.epoch = -1  # of the best weights
        self._weights: list[np.ndarray] = []

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        value = float((logs or {})[self.monitor])
        value = value if self.mode == "min" else -value
        if value < self.best:
            self.best, self.epoch = value, epoch
            self._weights = self.model.get_weights()
        elif epoch - self.epoch >= self.patience:
            self.model.stop_training = True

    def on_train_end(self, logs: dict | None = None) -> None:
        if self._weights:
            self.model.set_weights(self._weights)

    def get_state(self) -> Mapping[str, np.ndarray]:
        """Returns the best weights so far, and what they were worth."""
        weights = {f"weight_{i}": weight for i, weight in enumerate(self._weights)}
        return {"best": np.float64(self.best), "epoch": np.int64(self.epoch), **weights}

    def set_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Sets what `get_state` gave."""
        self.best, self.epoch = float(state["best"]), int(state["epoch"])
        self._weights = [state[f"weight_{i}"] for i in range(len(state) - 2)]
