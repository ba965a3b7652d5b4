"""Learned positions of a grid of patches, for images of another size."""

import numpy as np


def resize_positions(
    table: np.ndarray, old: tuple[int, int], new: tuple[int, int], *, prefix: int = 1
) -> np.ndarray:
    """Returns a table `(prefix + rows * columns, D)` for another grid of patches.

    By bicubic interpolation as PyTorch has it (Keys, 1981, with a=-0.75; corners not aligned, no
    smoothing where the grid shrinks), which published vision transformers were resized with.

    Args:
        table: `(prefix + rows * columns, D)`, row by row.
        old, new: rows and columns.
        prefix: how many first rows, such as that of the class token, stay as they are.
    """
    if old == new:
        return table
    grid = table[prefix:].reshape(*old, -1).astype(np.float32)
    rows, columns = (_interpolate(*lengths) for lengths in zip(old, new, strict=True))
    resized = np.einsum("ir,jc,rcd->ijd", rows, columns, grid, optimize=True)
    resized = resized.reshape(-1, table.shape[-1]).astype(table.dtype)
    return np.concatenate([table[:prefix], resized])


def _interpolate(old: int, new: int) -> np.ndarray:
    """Returns the matrix `(new, old)` that resizes an axis."""
    places = (np.arange(new) + 0.5) * old / new - 0.5
    first = np.floor(places).astype(int) - 1
    matrix = np.zeros((new, old))
    for taps in range(4):
        distance = np.abs(places - (first + taps))
        index = np.clip(first + taps, 0, old - 1)  # edges go on
        np.add.at(matrix, (np.arange(new), index), _keys(distance))
    return matrix.astype(np.float32)


def _keys(distance: np.ndarray, a: float = -0.75) -> np.ndarray:
    """Returns the cubic kernel of Keys, 1981, equation 15, by distances below 2."""
    near = ((a + 2) * distance - (a + 3)) * distance**2 + 1
    far = ((distance - 5) * distance + 8) * a * distance - 4 * a
    return np.where(distance <= 1, near, far)
