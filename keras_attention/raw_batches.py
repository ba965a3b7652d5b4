"""Raw values in batches for `model.fit`, encoded one batch at a time."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from keras_attention import prediction, roles
from keras_attention.ops import batches, checks
from keras_attention.training.batches import as_weights

_POOL = 50  # batches whose rows are sorted together by their length
_CHUNK = 1024  # rows that are measured at a time


class RawBatches(keras.utils.PyDataset):
    """Batches of raw values, encoded by the model's own first layers as they are needed.

    `model.fit` of Keras takes arrays alone. `ka.encode` makes one of all rows, padded to the
    longest of them; here each batch is padded for itself, and images and recordings are read when
    their batch is.

    ```python
    model.fit(ka.RawBatches(model, texts, labels, batch_size=32), epochs=5)
    model.evaluate(ka.RawBatches(model, texts, labels, batch_size=32, shuffle=False))
    ```

    With `shuffle`, each epoch has an order of its own, drawn from NumPy's global random numbers:
    rows of similar length come together, and their batches in random order. Lengths of ids are
    rounded up to a multiple, so that few are compiled.

    Args:
        model: functional, whose first layers encode.
        raw: as `ka.encode` takes it: a list or array of rows, or such lists by the names of the
            inputs or of a table's columns.
        y: `(B, ...)` numbers; none for `model.predict`, which keeps the order of the rows. Of a
            model with an output for each token `(B, T, ...)`, T being that of the longest row:
            it is cut off where the batch is. For a model that writes, T is that of the longest
            text for `target_ids`, which begins with its start: y is what comes next.
        sample_weight: `(B, ...)`.
        batch_size: rows per batch; the last one may have fewer.
        shuffle: whether epochs have orders of their own.
        multiple: of which lengths of ids are.

    Raises:
        TypeError: `raw` is no batch.
        ValueError: `raw`, `y` and `sample_weight` differ in their number of rows.
    """

    def __init__(
        self,
        model: keras.Model,
        raw: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        batch_size: int = 32,
        shuffle: bool | None = None,
        multiple: int = 16,
    ) -> None:
        super().__init__()
        checks.positive_int(batch_size=batch_size, multiple=multiple)
        self.model = model
        self.batch_size = batch_size
        self.multiple = multiple
        self.shuffle = y is not None if shuffle is None else shuffle
        raw = prediction.as_rows(model, raw)
        named = raw if isinstance(raw, Mapping) else {"raw": raw}
        columns = {
            name: batches.objects(batches.items(str(name), rows, "raw values"))
            for name, rows in named.items()
        }
        self._raw = columns if isinstance(raw, Mapping) else columns["raw"]
        given = {"y": y, "sample_weight": sample_weight}
        self._beside = [
            batches.numbers(name, array) for name, array in given.items() if array is not None
        ]
        if sample_weight is not None:
            self._beside[-1] = as_weights(self._beside[-1])
        counts = {name: len(rows) for name, rows in columns.items()}
        counts |= dict(zip(("y", "sample_weight"), map(len, self._beside), strict=False))
        if len(set(counts.values())) > 1:
            each = ", ".join(f"{name} {count}" for name, count in counts.items())
            raise ValueError(f"All must have as many rows. Received: {each}")
        self._count = next(iter(counts.values()))
        self._tokens = self._count_tokens()
        self._longest = {name: int(counts.max()) for name, counts in self._tokens.items()}
        self._lengths = self._measure()
        self._batches, self._widths = self._split()

    @property
    def num_batches(self) -> int:
        return -(-self._count // self.batch_size)

    def __getitem__(self, index: int) -> tuple:
        rows = self._batches[index]
        raw = (
            {name: column[rows] for name, column in self._raw.items()}
            if isinstance(self._raw, dict)
            else self._raw[rows]
        )
        x = prediction.encode(self.model, raw)
        layers = prediction.encoders(self.model)
        named = x if isinstance(x, dict) else dict.fromkeys(layers, x)
        named = {
            name: prediction.pad_ids(array, self._widths[name][index], layers[name])
            if name in self._widths
            else array
            for name, array in named.items()
        }
        beside = (self._cut(array[rows], named) for array in self._beside)
        return (named if isinstance(x, dict) else next(iter(named.values())), *beside)

    def on_epoch_begin(self) -> None:
        self._batches, self._widths = self._split()

    def _split(self) -> tuple[list[np.ndarray], dict[str, np.ndarray]]:
        """Returns the rows of each batch, and the length of its ids by input.

        Keras on TensorFlow takes a length for fixed that the first two batches share, so they
        share none that others do not have.
        """
        batches = self._order()
        widths = self._round(batches)
        if self.shuffle and len(batches) > 2:
            differ = sum((width[0] != width for width in widths.values()), np.zeros(len(batches)))
            other = int(np.argmax(differ))  # the first batch differs from itself in nothing
            if differ[other] > differ[1]:
                batches[1], batches[other] = batches[other], batches[1]
                widths = self._round(batches)
        for name, width in widths.items():
            if np.all(width[:2] == width[0]) and np.any(width != width[0]):
                if width[0] < self._longest[name]:
                    width[0] = self._longest[name]
                else:
                    width[:] = self._longest[name]
        return batches, widths

    def _round(self, batches: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        """Returns the length of the ids of each batch by input: that of its longest row, rounded
        up, but not beyond the longest row of all."""
        rounded = {}
        for name, counts in self._tokens.items():
            longest = np.array([counts[rows].max() for rows in batches])
            rounded[name] = np.minimum(
                -(-longest // self.multiple) * self.multiple, self._longest[name]
            )
        return rounded

    def _order(self) -> list[np.ndarray]:
        """Returns the rows of each batch, in this epoch's order."""
        size = self.batch_size
        if not self.shuffle:
            return [np.arange(i, min(i + size, self._count)) for i in range(0, self._count, size)]
        order = np.random.permutation(self._count)
        rows_by_batch = []
        for start in range(0, self._count, _POOL * size):
            pool = order[start : start + _POOL * size]
            pool = pool[np.argsort(self._lengths[pool], kind="stable")]
            rows_by_batch += [pool[i : i + size] for i in range(0, len(pool), size)]
        return [rows_by_batch[i] for i in np.random.permutation(len(rows_by_batch))]

    def _count_tokens(self) -> dict[str, np.ndarray]:
        """Returns the number of tokens of each row by input of texts."""
        counts = {}
        for name, layer in _text_layers(prediction.encoders(self.model)).items():
            rows = self._raw[name] if isinstance(self._raw, dict) else self._raw
            chunks = []
            for start in range(0, self._count, _CHUNK):
                ids = layer.encode(rows[start : start + _CHUNK])
                present = ids.reshape(*ids.shape[:2], -1) != roles.padding_id(layer)
                chunks.append(present.any(axis=-1).sum(axis=1))
            counts[name] = np.concatenate(chunks)
        return counts

    def _measure(self) -> np.ndarray:
        """Returns the lengths of the rows: tokens of texts, else samples."""
        if self._tokens:
            return np.max(list(self._tokens.values()), axis=0)
        if isinstance(self._raw, dict):
            return np.zeros(self._count, int)
        return np.array([len(x) if isinstance(x, np.ndarray) else 0 for x in self._raw])

    def _cut(self, array: np.ndarray, named: Mapping[str, np.ndarray]) -> np.ndarray:
        """Returns values that belong to tokens, cut off where the ids of the batch are."""
        by_token = self.model.outputs[0].shape[1:2] == (None,)
        # Of a model that writes they belong to what it writes, and not to what it reads.
        written = self._longest.keys() & {"target_ids"} or self._longest.keys()
        longest = max((self._longest[name] for name in written), default=None)
        if not by_token or array.ndim < 2 or array.shape[1] != longest:
            return array
        return array[:, : max(named[name].shape[1] for name in written)]


def _text_layers(layers: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the layers that encode texts, by input."""
    return {name: layer for name, layer in layers.items() if roles.encodes(layer) == "texts"}
