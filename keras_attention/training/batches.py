"""Arrays in batches, in an order that a checkpoint brings back on every backend."""

from collections.abc import Sequence
from typing import TypeAlias

import keras
import numpy as np

from keras_attention.ops import checks

# x, or x by name: of an input, or of a table's column.
X: TypeAlias = np.ndarray | dict[str, np.ndarray]
# x, y, and the weights of y's elements where they do not count alike.
Arrays: TypeAlias = tuple[X, np.ndarray] | tuple[X, np.ndarray, np.ndarray]


class Batches(keras.utils.PyDataset):
    """The batches of a split; `model.fit(Batches(x, y, batch_size=32), shuffle=False)`.

    Each epoch has an order of its own, drawn from NumPy's global random numbers when it begins.
    For plain arrays Keras on TensorFlow draws the order itself: after
    `keras.utils.set_random_seed` it is the same in every epoch, and no checkpoint reaches it.

    With `buckets`, rows of similar length come in a batch that is cut off at their bucket's
    length, so that short sentences cost less. Few lengths mean few compilations. For the same
    reason all batches but one are full: what is left of a bucket goes with the next longer one.

    Args:
        x: `(B, ...)`, or such arrays by input name.
        y: `(B, ...)`.
        sample_weight: of the elements of y.
        batch_size: rows per batch; one of an epoch may have fewer.
        shuffle: whether epochs have orders of their own, rather than that of the rows.
        mask: `(B, T)` boolean, false where a row is padded at its end; with `buckets`.
        buckets: lengths in ascending order; the whole T is one by itself.

    Raises:
        ValueError: `x`, `y` and the others differ in their number of rows, `batch_size` is not
            positive, or one of `mask` and `buckets` is given without the other.
    """

    def __init__(
        self,
        x: X,
        y: np.ndarray,
        sample_weight: np.ndarray | None = None,
        *,
        batch_size: int,
        shuffle: bool = True,
        mask: np.ndarray | None = None,
        buckets: Sequence[int] = (),
    ) -> None:
        super().__init__()
        checks.positive_int(batch_size=batch_size)
        rows = {
            name: len(array) for name, array in (x if isinstance(x, dict) else {"x": x}).items()
        }
        rows |= {
            name: len(array)
            for name, array in (("sample_weight", sample_weight), ("mask", mask))
            if array is not None
        }
        if set(rows.values()) != {len(y)}:
            raise ValueError(f"`x` and `y` must have as many rows. Received: x {rows}, y {len(y)}")
        if (mask is None) == bool(buckets):
            raise ValueError(
                "`mask` and `buckets` go together: the mask tells the lengths. Received: "
                f"mask={'None' if mask is None else 'an array'}, buckets={tuple(buckets)}"
            )
        self.x = x
        self.y = y
        self.sample_weight = sample_weight
        self.batch_size = batch_size
        self.shuffle = shuffle
        self._width = 0 if mask is None else mask.shape[1]
        self._lengths = None if mask is None else mask.sum(axis=1)
        self._buckets = [*(bucket for bucket in buckets if bucket < self._width), self._width]
        self._batches = self._split(np.arange(len(y)))

    @property
    def num_batches(self) -> int:
        return -(-len(self.y) // self.batch_size)

    def rows(self, index: int) -> np.ndarray:
        """Returns the rows of the batch `index` in this epoch, `(B,)`."""
        return self._batches[index][0]

    def __getitem__(self, index: int) -> Arrays:
        rows, length = self._batches[index]
        x = (
            {name: self._cut(array[rows], length) for name, array in self.x.items()}
            if isinstance(self.x, dict)
            else self._cut(self.x[rows], length)
        )
        y = self._cut(self.y[rows], length)
        if self.sample_weight is None:
            return x, y
        return x, y, as_weights(self._cut(self.sample_weight[rows], length))

    def on_epoch_begin(self) -> None:
        if self.workers > 1 or self.use_multiprocessing:
            # Keras has them begin before this draws the epoch's order: rows of two orders.
            raise ValueError(
                "`Batches` come from memory, and other workers take them before their order is "
                "drawn. Leave `workers` at 1 and `use_multiprocessing` out. Received: "
                f"workers={self.workers}, use_multiprocessing={self.use_multiprocessing}"
            )
        if self.shuffle:
            self._batches = self._split(np.random.permutation(len(self.y)))

    def _split(self, order: np.ndarray) -> list[tuple[np.ndarray, int | None]]:
        """Returns the rows of each batch, and the length at which it is cut off."""
        groups = self._group(order)
        batches = [
            (group[start : start + self.batch_size], length)
            for group, length in groups
            for start in range(0, len(group), self.batch_size)
        ]
        if self.shuffle and len(groups) > 1:
            batches = [batches[i] for i in np.random.permutation(len(batches))]
        # Keras on TensorFlow takes a size for fixed that the first two batches share.
        for i, (_, length) in enumerate(batches[2:], 2):
            if batches[0][1] == batches[1][1] != length:
                batches[1], batches[i] = batches[i], batches[1]
                break
        return batches

    def _group(self, order: np.ndarray) -> list[tuple[np.ndarray, int | None]]:
        """Returns rows of similar length together, each group with the length of its bucket."""
        if self._lengths is None:
            return [(order, None)]
        groups: list[tuple[np.ndarray, int | None]] = []
        rest, shortest = order[:0], -1
        for bucket in self._buckets:
            inside = (self._lengths[order] > shortest) & (self._lengths[order] <= bucket)
            group = np.concatenate([rest, order[inside]])
            is_last = bucket == self._width
            full = len(group) if is_last else len(group) // self.batch_size * self.batch_size
            groups.append((group[:full], bucket))
            rest, shortest = group[full:], bucket
        return groups

    def _cut(self, array: np.ndarray, length: int | None) -> np.ndarray:
        if length is None or array.ndim < 2 or array.shape[1] != self._width:
            return array
        return array[:, :length]


def as_weights(weights: np.ndarray) -> np.ndarray:
    """Returns the weights of a batch, as float64.

    Keras on PyTorch multiplies those of the loss's own type by a model's mask where they stand, and
    metrics read them next; of another type it multiplies a copy.
    """
    return weights.astype("float64")
