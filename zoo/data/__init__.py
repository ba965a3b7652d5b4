"""Datasets, one per file: each has `load(...) -> Splits` of NumPy arrays.

One that has to be fetched has `sample() -> Splits` too, a small look-alike made up in memory.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from keras_attention.training.batches import Arrays

_BLOCK = 4096  # rows


@dataclass(frozen=True, kw_only=True)
class Source:
    """The origin of data and its terms, for the card of a model that learned from it.

    Attributes:
        name, url: of the dataset.
        license: its own, not that of a model.
        citation: what to cite.
    """

    name: str
    url: str
    license: str
    citation: str


@dataclass(frozen=True)
class Splits:
    """The parts of a dataset, each `(x, y)` or `(x, y, sample_weight)`.

    x is raw, what a user would hand to `ka.predict`: texts are object arrays of strings, sentences
    of lists of words, waveforms of arrays; `ka.encode(model, x)` makes arrays of it. Tags that
    pad a sentence and nodes without a label have the weight 0.

    Attributes:
        train: what a model learns from.
        test: what it is measured on, once.
        validation: what choices are made on, where the dataset is large enough to have one.
        extra: further parts to measure on, by name.
        feature_names, class_names: in the order of the columns and of the labels.
        source: where they come from.
    """

    train: Arrays
    test: Arrays
    validation: Arrays | None = None
    feature_names: tuple[str, ...] = ()
    class_names: tuple[str, ...] = ()
    source: Source | None = None
    extra: Mapping[str, Arrays] = field(default_factory=dict)

    def num_batches(self, batch_size: int) -> int:
        """Returns how many batches the part to train on has, the last of them smaller perhaps."""
        return -(-len(self.train[1]) // batch_size)

    def map(self, change: Callable[[Arrays], Arrays]) -> "Splits":
        """Returns the splits with train, validation and test changed; `extra` stays."""
        return replace(
            self,
            train=change(self.train),
            validation=None if self.validation is None else change(self.validation),
            test=change(self.test),
        )

    def sha256(self) -> str:
        """Returns a digest of every array with its dtype and shape."""
        digest = hashlib.sha256()
        for part in (self.train, self.validation, self.test, *self.extra.values()):
            x, y, *weights = part or ({}, np.empty(0))
            named = x if isinstance(x, dict) else {"x": x}
            for name, array in [*sorted(named.items()), ("y", y), *(("w", w) for w in weights)]:
                digest.update(f"{name} {array.dtype} {array.shape}".encode())
                if array.dtype == object:  # whose bytes are addresses
                    for value in array:
                        digest.update(_bytes(value))
                else:  # a block at a time, as windows may share much less memory than they have
                    for start in range(0, max(1, len(array)), _BLOCK):
                        digest.update(np.ascontiguousarray(array[start : start + _BLOCK]).tobytes())
        return digest.hexdigest()


def objects(values: Any) -> np.ndarray:
    """Returns a 1-D object array of values of any kind, lists of one length included."""
    values = list(values)
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _bytes(value: Any) -> bytes:
    if isinstance(value, Path):  # by its name and size: to read all files would take too long
        return f"{value.name} {value.stat().st_size}".encode()
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {value.shape}".encode() + np.ascontiguousarray(value).tobytes()
    return json.dumps(value, ensure_ascii=False).encode()
