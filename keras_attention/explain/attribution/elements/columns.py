"""Columns of tables."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from keras_attention import roles
from keras_attention.explain.attribution.elements.base import Batch, Elements

_UNKNOWN = 0  # the index that a layer of categories has for one that it does not know


@dataclass(frozen=True)
class Columns(Elements):
    """Fields `(B, F)` of rows of tables; missing, or an unknown category, where taken away."""

    kind: ClassVar[str] = "columns"

    def at_elements(self, values: np.ndarray) -> np.ndarray:
        return values

    def _remove(self, array: np.ndarray, removed: np.ndarray, rows: Any) -> np.ndarray:
        filling = _UNKNOWN if array.dtype.kind in "iu" else np.nan
        return np.where(removed, filling, array).astype(array.dtype)


def columns(batch: Batch, encoder: roles.Encoder) -> Columns:
    """Returns the columns of an input of a table, named as the layer behind it names them.

    All columns are there: a missing field is one that a model reads as well.

    Args:
        batch: of the input.
        encoder: of the input.
    """
    names = [str(name) for name in getattr(encoder, "names", range(batch.array.shape[1]))]
    present = np.ones(batch.array.shape, bool)
    return Columns(batch.inputs, batch.name, present, [names] * len(present))
