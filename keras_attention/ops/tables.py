"""Raw rows of tables to columns, in whichever form they come, and how tokens of columns begin."""

import csv
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np


def columns(rows: Any, names: Sequence[str], row_names: Sequence[str]) -> dict[str, list[Any]]:
    """The values of the columns `names`.

    Args:
        rows: a mapping from column to values; or a list of mappings from column to value, or of
            sequences or lines of CSV that have the columns `row_names` in this order.
        names: columns to return.
        row_names: all columns of a row.

    Raises:
        ValueError: a column is missing, or a row has another number of fields.
    """
    if isinstance(rows, Mapping):
        _check(rows, names)
        return {name: list(rows[name]) for name in names}
    found: dict[str, list[Any]] = {name: [] for name in names}
    for number, row in enumerate(rows):
        if isinstance(row, str):
            row = next(csv.reader([row], skipinitialspace=True), [])
        if not isinstance(row, Mapping):
            if len(row) != len(row_names):
                raise ValueError(
                    f"A row must have the {len(row_names)} fields {', '.join(row_names)}. "
                    f"Received: row {number} with {len(row)} fields"
                )
            row = dict(zip(row_names, row, strict=True))
        _check(row, names)
        for name in names:
            found[name].append(row[name])
    return found


def number(value: Any, name: str, row: int) -> float:
    """A field as a number, NaN where it is empty, `?` or `None`.

    Raises:
        ValueError: it is no number.
    """
    if value is None or (isinstance(value, str) and value.strip() in ("", "?")):
        return float("nan")
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ValueError(
            f"The column {name!r} must have numbers. Received: {value!r} in row {row}"
        ) from None


def category(value: Any) -> str:
    """A field as the name of a category."""
    return "" if value is None else str(value).strip()


def numbers(columns: Mapping[str, Sequence[Any]]) -> np.ndarray:
    """`(B, F)` float32 of columns of numbers."""
    return np.array(
        [
            [number(value, name, row) for row, value in enumerate(values)]
            for name, values in columns.items()
        ],
        np.float32,
    ).T.reshape(-1, len(columns))


def initializer(given: Any, hidden_dim: int) -> keras.initializers.Initializer:
    """`given`, or uniform up to 1 / sqrt(D), of Gorishniy et al., 2021."""
    if given is None:
        limit = hidden_dim**-0.5
        return keras.initializers.RandomUniform(-limit, limit)
    return keras.initializers.get(given)


def _check(row: Mapping[str, Any], names: Sequence[str]) -> None:
    missing = [name for name in names if name not in row]
    if missing:
        raise ValueError(
            f"A row must have the columns {', '.join(names)}. Missing: {', '.join(missing)}"
        )
