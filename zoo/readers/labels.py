"""Names of classes in a user's data."""

from collections.abc import Sequence

import numpy as np

from zoo.readers.findings import name_some


def number_classes(
    train: Sequence[str], *others: Sequence[str], argument: str = "label"
) -> tuple[tuple[str, ...], list[np.ndarray]]:
    """Returns the names of the classes, sorted, and of each part the number of each row's class.

    Numbers are sorted as such: `"10"` is after `"9"`.

    Args:
        train: the classes of the rows that are trained on.
        others: those of other parts.
        argument: the name of what they come from, for messages.

    Raises:
        ValueError: there is one class alone, or others have one that cannot be learned.
    """
    names = sorted(set(train), key=_in_order)
    if len(names) < 2:
        raise ValueError(
            f"`{argument}` has one class alone, and there is nothing to tell apart. "
            f"Received: {names[0]!r} in all {len(train):,} rows"
        )
    number = {name: i for i, name in enumerate(names)}
    unknown = sorted({name for part in others for name in part} - set(names))
    if unknown:
        raise ValueError(
            f"The rows to choose by or to test on have classes that no row to train on has: "
            f"{name_some(map(repr, unknown))}. Add rows of these classes, or take them out."
        )
    return tuple(names), [
        np.array([number[name] for name in part], np.int32) for part in (train, *others)
    ]


def _in_order(name: str) -> tuple[bool, float, str]:
    try:
        return False, float(name), name
    except ValueError:
        return True, 0.0, name
