"""Nodes of graphs, and other vectors."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from keras_attention.explain.attribution.elements.base import Arrays, Elements
from keras_attention.explain.attribution.elements.tokens import number


@dataclass(frozen=True)
class Nodes(Elements):
    """Features `(B, N, F)` of the nodes of graphs; zeros where taken away."""

    kind: ClassVar[str] = "nodes"

    def at_elements(self, values: np.ndarray) -> np.ndarray:
        return values.sum(axis=-1)

    def _remove(self, array: np.ndarray, removed: np.ndarray, rows: Any) -> np.ndarray:
        return np.where(removed[..., None], 0, array).astype(array.dtype)


def nodes(inputs: Arrays, name: str) -> Nodes:
    """Returns the nodes of an input; those of zeros alone are padding, as where graphs are padded.

    Args:
        inputs: arrays, by name if there are several.
        name: of the input with vectors.
    """
    several = isinstance(inputs, Mapping)
    vectors = inputs[name] if several else inputs
    labels = number(np.ones(vectors.shape[:2], bool))
    return Nodes(inputs, name if several else None, (vectors != 0).any(axis=-1), labels)
