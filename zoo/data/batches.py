"""Arrays in batches, in an order that a checkpoint brings back on every backend."""

import keras
import numpy as np

from keras_attention.ops import checks
from zoo.data import Arrays


class Batches(keras.utils.PyDataset):
    """The batches of a split; `model.fit(Batches(x, y, batch_size=32), shuffle=False)`.

    Each epoch has an order of its own, drawn from NumPy's global random numbers when it begins.
    Of plain arrays Keras on TensorFlow draws the order itself, after
    `keras.utils.set_random_seed` the same in every epoch, and out of a checkpoint's reach.

    Args:
        x: `(B, ...)`, or such arrays by input name.
        y: `(B, ...)`.
        batch_size: rows per batch; the last one of an epoch may have fewer.
        shuffle: whether epochs have orders of their own, rather than that of the rows.

    Raises:
        ValueError: `x` and `y` differ in their number of rows, or `batch_size` is not positive.
    """

    def __init__(
        self,
        x: np.ndarray | dict[str, np.ndarray],
        y: np.ndarray,
        *,
        batch_size: int,
        shuffle: bool = True,
    ) -> None:
        super().__init__()
        checks.positive_int(batch_size=batch_size)
        rows = {
            name: len(array) for name, array in (x if isinstance(x, dict) else {"x": x}).items()
        }
        if set(rows.values()) != {len(y)}:
            raise ValueError(f"`x` and `y` must have as many rows. Received: x {rows}, y {len(y)}")
        self.x = x
        self.y = y
        self.batch_size = batch_size
        self.shuffle = shuffle
        self._order = np.arange(len(y))

    @property
    def num_batches(self) -> int:
        return -(-len(self.y) // self.batch_size)

    def __getitem__(self, index: int) -> Arrays:
        rows = self._order[index * self.batch_size : (index + 1) * self.batch_size]
        if isinstance(self.x, dict):
            return {name: array[rows] for name, array in self.x.items()}, self.y[rows]
        return self.x[rows], self.y[rows]

    def on_epoch_begin(self) -> None:
        if self.shuffle:
            self._order = np.random.permutation(len(self.y))
