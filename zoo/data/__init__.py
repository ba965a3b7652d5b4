"""Datasets, one per file: each has `load(...) -> Splits` of NumPy arrays."""

import hashlib
from dataclasses import dataclass

import numpy as np

Arrays = tuple[np.ndarray | dict[str, np.ndarray], np.ndarray]  # x, or x by input name; and y


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where data comes from, and on which terms, for the card of a model that learned from it.

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
    """The parts of a dataset, each `(x, y)` as `model.fit(*splits.train)` takes them.

    Attributes:
        train: what a model learns from.
        test: what it is measured on, once.
        validation: what choices are made on, where the dataset is large enough to have one.
        feature_names, class_names: in the order of the columns and of the labels.
        source: where they come from.
    """

    train: Arrays
    test: Arrays
    validation: Arrays | None = None
    feature_names: tuple[str, ...] = ()
    class_names: tuple[str, ...] = ()
    source: Source | None = None

    def sha256(self) -> str:
        """Digest of every array with its dtype and shape: the same data, the same digest."""
        digest = hashlib.sha256()
        for part in (self.train, self.validation, self.test):
            x, y = part or ({}, np.empty(0))
            named = x if isinstance(x, dict) else {"x": x}
            for name, array in [*sorted(named.items()), ("y", y)]:
                digest.update(f"{name} {array.dtype} {array.shape}".encode())
                digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()
