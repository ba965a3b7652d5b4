"""Patches of images."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

import keras
import numpy as np

from keras_attention import roles
from keras_attention.explain.attribution.elements.base import Batch, Elements
from keras_attention.explain.maps import graph


@dataclass(frozen=True)
class ImagePatches(Elements):
    """Cells of images `(B, height, width, C)`, row by row."""

    kind: ClassVar[str] = "patches"
    filling: np.ndarray = field(default_factory=lambda: np.zeros(()))  # of what is taken away
    edges: tuple[np.ndarray, ...] = ()  # pixels where rows and columns begin, and the end

    def at_elements(self, values: np.ndarray) -> np.ndarray:
        sums = values.sum(axis=-1)  # (B, height, width)
        for axis, edges in enumerate(self.edges, 1):
            sums = np.add.reduceat(sums, edges[:-1], axis=axis)
        return sums.reshape(len(sums), -1)

    def cells(self, scores: np.ndarray) -> np.ndarray:
        """Returns scores `(B, E)` at pixels: `(B, height, width)`."""
        scores = scores.reshape(-1, *(len(edges) - 1 for edges in self.edges))
        for axis, edges in enumerate(self.edges, 1):
            scores = np.repeat(scores, np.diff(edges), axis=axis)
        return scores

    def _remove(self, array: np.ndarray, removed: np.ndarray, rows: Any) -> np.ndarray:
        return np.where(self.cells(removed)[..., None], self.filling[rows], array)


def patches(
    model: keras.Model,
    batch: Batch,
    name: str,
    *,
    replacement: Any,
    grid: tuple[int, int] | None,
) -> ImagePatches:
    """Returns the patches of an input of images.

    Args:
        model: functional.
        batch: of the input.
        name: of the input.
        replacement: `None` or `"mean"`, `"blur"` or a number, see `elements`.
        grid: rows and columns of patches; those of the layer that cuts the input if `None`.
    """
    images = batch.array.astype(np.float32)
    edges = _edges(model, name, images.shape[1:3], grid)
    rows, columns = (len(begins) - 1 for begins in edges)
    return ImagePatches(
        batch.given(images),
        batch.name,
        np.ones((len(images), rows * columns), bool),
        grid=(rows, columns),
        filling=_filling(images, replacement),
        edges=tuple(edges),
    )


def _edges(
    model: keras.Model, name: str, sizes: tuple[int, ...], grid: tuple[int, int] | None
) -> list[np.ndarray]:
    """Returns where rows and columns of patches begin, and where the last one ends."""
    if grid is not None:
        return [
            np.linspace(0, size, n + 1).astype(int) for size, n in zip(sizes, grid, strict=True)
        ]
    for layer, shape in graph.layers_behind(model, name):
        if roles.cuts(layer) == "patches":
            return _edges_of(layer, shape, sizes)
    raise ValueError(
        f"The model {model.name!r} has no `PatchEmbedding`. Pass the `grid` of its patches, "
        "rows and columns."
    )


def _edges_of(layer: roles.PatchCutter, shape: Any, sizes: tuple[int, ...]) -> list[np.ndarray]:
    """Returns where a layer's patches begin in images of some sizes, and where the last one ends.

    What patches share is cut in the middle; what is left over at the end, which the layer does
    not read, is of the last one.

    Args:
        layer: that cuts.
        shape: of what it is called with, which the model may have resized; `None` if not known.
        sizes: height and width of the images.
    """
    known = (None, None) if shape is None else shape[1:3]
    seen = [own or size for own, size in zip(known, sizes, strict=True)]
    edges = []
    counts: Any = layer.grid((None, *seen, None))
    for axis, (count, side, step) in enumerate(zip(counts, layer.sides, layer.steps, strict=True)):
        begins = np.arange(count + 1) * step + (side - step) // 2
        begins[0], begins[-1] = 0, seen[axis]
        edges.append(np.round(begins * sizes[axis] / seen[axis]).astype(int))
    return edges


def _filling(images: np.ndarray, replacement: Any) -> np.ndarray:
    """Returns what stands in place of what is taken away, of the shape of the images."""
    if replacement is None or (isinstance(replacement, str) and replacement == "mean"):
        return np.broadcast_to(images.mean(axis=(1, 2), keepdims=True), images.shape)
    if isinstance(replacement, str) and replacement == "blur":
        return _blur(images, max(images.shape[1:3]) / 8)
    if isinstance(replacement, str):
        raise ValueError(
            "`replacement` of images must be 'mean', 'blur' or a number. Received: "
            f"replacement={replacement!r}"
        )
    return np.full_like(images, replacement)


def _blur(images: np.ndarray, sigma: float) -> np.ndarray:
    """Returns images `(B, height, width, C)` with Gaussian blur, edges repeated."""
    reach = int(3 * sigma) + 1
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    kernel /= kernel.sum()
    for axis in (1, 2):
        padding = [(0, 0)] * 4
        padding[axis] = (reach, reach)
        padded = np.pad(images, padding, mode="edge")
        images = sum(
            weight * np.take(padded, np.arange(i, i + images.shape[axis]), axis=axis)
            for i, weight in enumerate(kernel)
        )
    return images.astype(np.float32)
