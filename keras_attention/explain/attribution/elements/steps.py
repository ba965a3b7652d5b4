"""Steps of series."""

from dataclasses import dataclass
from typing import Any, ClassVar

import keras
import numpy as np

from keras_attention import roles
from keras_attention.explain.attribution.elements.base import Batch, Elements
from keras_attention.explain.maps import graph


@dataclass(frozen=True)
class Steps(Elements):
    """Stretches of steps of series `(B, steps, C)`; the mean of each series where taken away."""

    kind: ClassVar[str] = "steps"
    edges: tuple[int, ...] = ()  # where stretches begin, and the end

    def at_elements(self, values: np.ndarray) -> np.ndarray:
        return np.add.reduceat(values.sum(axis=-1), self.edges[:-1], axis=1)

    def _remove(self, array: np.ndarray, removed: np.ndarray, rows: Any) -> np.ndarray:
        steps = np.repeat(removed, np.diff(self.edges), axis=1)[..., None]
        return np.where(steps, array.mean(axis=1, keepdims=True), array).astype(array.dtype)


def cutting(model: keras.Model, name: str) -> tuple[roles.PatchCutter, int] | None:
    """Returns the layer that cuts an input of series to patches of steps, and how many it makes;
    `None` if none does."""
    for layer, shape in graph.layers_behind(model, name):
        if roles.cuts(layer) == "patches" and layer.sides[1] == 1 and shape is not None:
            rows = layer.grid(tuple(shape))[0]
            return None if rows is None else (layer, rows)
    return None


def steps(batch: Batch, cutter: tuple[roles.PatchCutter, int]) -> Steps:
    """Returns the steps of an input of series.

    Patches that overlap share steps, which are of the patch that begins last. A patch has the
    steps that it reads as its label, counted from the end: the last one is -1.

    Args:
        batch: of the input.
        cutter: as `cutting` gives it.
    """
    layer, count = cutter
    length, step, size = batch.array.shape[1], layer.steps[0], layer.sides[0]
    begins = [i * step for i in range(count) if i * step < length]
    labels = [f"{b - length} to {min(b + size, length) - 1 - length}" for b in begins]
    present = np.ones((len(batch.array), len(begins)), bool)
    edges = (*begins, length)
    return Steps(batch.inputs, batch.name, present, [labels] * len(present), edges=edges)
