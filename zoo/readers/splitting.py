"""Parts of a user's data: to train on, to choose by and to test on."""

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np

SHARE = 0.1  # of the rows, to choose by, and again to test on
_KEPT: ContextVar[int] = ContextVar("kept", default=0)


@contextmanager
def keep_parts(parts: int) -> Iterator[None]:
    """Has `split_rows` and its like split into so many parts at least, and leave out the last ones.

    A model that was tested on a part of its data is tested on others thus, without what it was
    tested on first being trained on: what is learned from rows to train on, such as a vocabulary
    or a mean, is the same.
    """
    token = _KEPT.set(parts)
    try:
        yield
    finally:
        _KEPT.reset(token)


def count_parts(parts: int) -> int:
    """Returns how many parts to make where so many are asked for, see `keep_parts`."""
    return max(parts, _KEPT.get())


def split_rows(
    keys: Sequence[Hashable],
    labels: Sequence[Hashable] | None = None,
    *,
    seed: int,
    parts: int = 3,
    share: float = SHARE,
) -> list[np.ndarray]:
    """Returns the rows of each part in ascending order; the first part is the largest.

    Rows with the same key are in the same part, so that none is learned by heart and tested.

    Args:
        keys: of each row, such as the text itself.
        labels: of each row, where classes shall have their share in every part. A class too
            small for that is in the first part alone.
        seed: the same one splits the same rows alike.
        parts: how many; 2 where test data are given.
        share: of the rows in each part but the first.

    Raises:
        ValueError: there are fewer distinct rows than parts.
    """
    wanted, parts = parts, count_parts(parts)
    numbers: dict[Hashable, int] = {}
    group = np.array([numbers.setdefault(key, len(numbers)) for key in keys], int)
    if len(numbers) < parts:
        raise ValueError(
            f"{len(numbers)} rows that differ cannot be split into {parts} parts. Pass more rows."
        )
    # Of the labels of one key the rarest counts, so that no class is without rows to train on.
    counts = Counter(() if labels is None else labels)
    label_of: dict[int, Hashable] = {}
    of_rows = [None] * len(group) if labels is None else labels
    for number, label in zip(group.tolist(), of_rows, strict=True):
        if number not in label_of or counts[label] < counts[label_of[number]]:
            label_of[number] = label
    classes: dict[Hashable, list[int]] = {}
    for number in np.random.default_rng(seed).permutation(len(numbers)).tolist():
        classes.setdefault(label_of[number], []).append(number)
    part_of = np.zeros(len(numbers), int)
    for members in classes.values():
        count = round(share * len(members))
        for part in range(1, parts):
            part_of[members[(part - 1) * count : part * count]] = part
    # Of a handful of rows each part has one, of the classes with the most.
    by_size = [number for each in sorted(classes.values(), key=len) for number in each]
    for part in range(1, parts):
        if not np.any(part_of == part):
            part_of[next(number for number in reversed(by_size) if not part_of[number])] = part
    return [np.flatnonzero(part_of[group] == part) for part in range(wanted)]
