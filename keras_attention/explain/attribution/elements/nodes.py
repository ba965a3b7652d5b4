"""Nodes of graphs, and other vectors."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from keras_attention.explain.attribution.elements.base import Batch, Elements
from keras_attention.explain.attribution.elements.tokens import number


@dataclass(frozen=True)
class Nodes(Elements):
    """Features `(B, N, F)` of the nodes of graphs; zeros where taken away."""

    kind: ClassVar[str] = "nodes"

    def at_elements(self, values: np.ndarray) -> np.ndarray:
        return values.sum(axis=-1)

    def _remove(self, array: np.ndarray, removed: np.ndarray, rows: Any) -> np.ndarray:
        return np.where(removed[..., None], 0, array).astype(array.dtype)


def nodes(batch: Batch) -> Nodes:
    """Returns the nodes of an input. Nodes of zeros alone are padding."""
    labels = number(np.ones(batch.array.shape[:2], bool))
    return Nodes(batch.inputs, batch.name, (batch.array != 0).any(axis=-1), labels)
