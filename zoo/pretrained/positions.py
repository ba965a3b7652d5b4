"""Learned positions of a grid of patches, for images of another size than the published one."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from zoo.pretrained.weights import Arrays, Change, Rule

Grid = tuple[int, int]  # rows and columns of patches


def grid(image_size: tuple[int, int], patch_size: tuple[int, int]) -> Grid:
    """Returns rows and columns of the patches that an image is cut into."""
    rows, columns = (side // patch for side, patch in zip(image_size, patch_size, strict=True))
    return rows, columns


def fit_rules(rules: Iterable[Rule], old: Grid, new: Grid) -> list[Rule]:
    """Returns rules by which the table of a checkpoint's positions comes to another grid."""
    if old == new:
        return list(rules)
    return [_fit(rule, old, new) if rule.ours == ("position/table",) else rule for rule in rules]


def _fit(rule: Rule, old: Grid, new: Grid) -> Rule:
    def load(arrays: Arrays) -> Arrays:
        return [resize_positions(table, old, new) for table in rule.change.load(arrays)]

    return replace(rule, change=Change(load, rule.change.save))


def resize_positions(table: np.ndarray, old: Grid, new: Grid) -> np.ndarray:
    """Returns a table of positions for another grid of patches.

    By bicubic interpolation as PyTorch has it (Keys, 1981, https://doi.org/10.1109/TASSP.1981.1163711,
    with a=-0.75; corners not aligned, no smoothing where the grid shrinks), by which published
    vision transformers are resized.

    Args:
        table: `(T, D)`, of which the last are the patches, row by row. Those of the class token
            and of others before the patches stay as they are.
        old, new: rows and columns.

    Raises:
        ValueError: the table has fewer positions than the old grid.
    """
    prefix = len(table) - old[0] * old[1]
    if prefix < 0:
        raise ValueError(
            f"`table` must have a position for each patch of `old`. Received: {len(table)} "
            f"positions, old={old}"
        )
    cells = table[prefix:].reshape(*old, -1).astype(np.float32)
    rows, columns = (_interpolate(*lengths) for lengths in zip(old, new, strict=True))
    resized = np.einsum("ir,jc,rcd->ijd", rows, columns, cells, optimize=True)
    resized = resized.reshape(new[0] * new[1], -1).astype(table.dtype)
    return np.concatenate([table[:prefix], resized])


def _interpolate(old: int, new: int) -> np.ndarray:
    """Returns the matrix `(new, old)` that resizes an axis."""
    places = (np.arange(new) + 0.5) * old / new - 0.5
    first = np.floor(places).astype(int) - 1
    matrix = np.zeros((new, old))
    for tap in range(4):
        index = np.clip(first + tap, 0, old - 1)  # the edge goes on beyond it
        np.add.at(matrix, (np.arange(new), index), _weigh(np.abs(places - (first + tap))))
    return matrix.astype(np.float32)


def _weigh(distance: np.ndarray, a: float = -0.75) -> np.ndarray:
    """Returns the cubic kernel of Keys, 1981, equation 15, at distances up to 2."""
    near = ((a + 2) * distance - (a + 3)) * distance**2 + 1
    far = ((distance - 5) * distance + 8) * a * distance - 4 * a
    return np.where(distance <= 1, near, far)
