"""Columns of tables, from raw rows in whichever form, and the initializer of their tokens."""

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import keras
import numpy as np

from keras_attention.ops import batches

# What stands for a missing value in the files of others, in small letters.
MISSING = frozenset(("", "?", "na", "n/a", "nan", "none", "null"))
_EPOCH = datetime(2000, 1, 1)


def columns(rows: Any, names: Sequence[str], row_names: Sequence[str]) -> dict[str, list[Any]]:
    """Returns the values of the columns `names`.

    Args:
        rows: a mapping from column to values, or a frame of pandas; or a list of mappings from
            column to value, or of sequences or lines of CSV that have the columns `row_names` in
            this order.
        names: columns to return.
        row_names: all columns of a row.

    Raises:
        TypeError: these are no rows.
        ValueError: a column is missing, columns differ in length, or a row has another number of
            fields.
    """
    if hasattr(rows, "keys"):  # a mapping, or what goes for one, such as a frame of pandas
        return _by_column({name: rows[name] for name in rows.keys()}, names)  # noqa: SIM118
    values: dict[str, list[Any]] = {name: [] for name in names}
    for number, row in enumerate(batches.items("rows", rows, "rows")):
        row = _fields(row, number, row_names)
        _check(row, names)
        for name in names:
            values[name].append(row[name])
    return values


def _by_column(columns: Mapping[str, Any], names: Sequence[str]) -> dict[str, list[Any]]:
    """Returns values by column as lists, all of one length."""
    _check(columns, names)
    by_name = {}
    for name in names:
        values = columns[name]
        if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
            raise TypeError(
                f"The column {name!r} must be a list of values, one for each row. Received: "
                f"{batches.short(values)}. A single row goes in a list: [row]"
            )
        by_name[name] = list(values)
    lengths = {name: len(values) for name, values in by_name.items()}
    if len(set(lengths.values())) > 1:
        each = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise ValueError(f"All columns must have as many rows. Received: {batches.short(each)}")
    return by_name


def _fields(row: Any, number: int, row_names: Sequence[str]) -> Mapping[str, Any]:
    """Returns a row as a mapping from column to value."""
    if isinstance(row, Mapping):
        return row
    if isinstance(row, str):
        try:
            row = next(csv.reader([row], skipinitialspace=True), [])
        except csv.Error as error:
            raise ValueError(f"Row {number} cannot be read as CSV: {error}") from error
    if not hasattr(row, "__len__") or isinstance(row, bytes):
        raise TypeError(
            "A row must be a mapping from column to value, a sequence of values or a line of CSV. "
            f"Received: {batches.short(row)} as row {number}. A single row goes in a list: [row]"
        )
    if len(row) != len(row_names):
        raise ValueError(
            f"A row must have the {len(row_names)} fields {', '.join(row_names)}. "
            f"Received: row {number} with {len(row)} fields"
        )
    return dict(zip(row_names, row, strict=True))


def number(value: Any, name: str, row: int) -> float:
    """Returns a field as a number, NaN where it is missing.

    Raises:
        ValueError: it is no number.
    """
    if is_missing(value):
        return float("nan")
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ValueError(
            f"The column {name!r} must have numbers. Received: {value!r} in row {row}"
        ) from None


def day(value: Any, name: str, row: int) -> float:
    """Returns a date, with a time or without, in days since 2000 began; NaN where it is missing.

    A zone is not looked at: the hour is that of the place.

    Raises:
        ValueError: it is no date in the form of ISO 8601, such as `2024-05-31 13:30`.
    """
    if is_missing(value):
        return float("nan")
    try:
        if isinstance(value, np.datetime64):
            value = value.astype("datetime64[us]").item()
        if isinstance(value, str):
            value = datetime.fromisoformat(value.strip().replace("/", "-"))
        if not isinstance(value, datetime):
            value = datetime(value.year, value.month, value.day)
        return (value.replace(tzinfo=None) - _EPOCH).total_seconds() / 86_400
    except (AttributeError, TypeError, ValueError):
        raise ValueError(
            f"The column {name!r} must have dates such as 2024-05-31 or 2024-05-31 13:30. "
            f"Received: {batches.short(value)} in row {row}"
        ) from None


def is_missing(value: Any) -> bool:
    """Whether a field is empty: `None`, NaN, those of other libraries, and what files have."""
    if isinstance(value, str):
        return value.strip().lower() in MISSING
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    # Of all scalars those alone differ from themselves: NaN and NaT.
    return isinstance(value, float | np.floating | np.datetime64) and bool(value != value)


def category(value: Any) -> str:
    """Returns a field as the name of a category, an empty one where there is none."""
    if not isinstance(value, str) and is_missing(value):
        return ""
    return str(value).strip()


def whole(value: Any) -> str | None:
    """Returns a whole number in floats as pandas has it beside missing ones, `3.0`, as `3`."""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return None


def numbers(
    columns: Mapping[str, Sequence[Any]], read: Callable[[Any, str, int], float] = number
) -> np.ndarray:
    """Returns columns as `(B, F)` float32, each field as `read` does: a `number`, or a `day`."""
    return np.array(
        [
            [read(value, name, row) for row, value in enumerate(values)]
            for name, values in columns.items()
        ],
        np.float32,
    ).T.reshape(-1, len(columns))


def initializer(given: Any, hidden_dim: int) -> keras.initializers.Initializer:
    """Returns `given`, or uniform up to 1 / sqrt(D) as Gorishniy et al., 2021."""
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
