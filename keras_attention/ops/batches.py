"""Batches as a caller hands them over: lists, tuples, arrays of any kind, columns of a table."""

import os
import stat
from collections.abc import Callable, Iterable, Mapping, Sequence
from numbers import Integral
from typing import Any

import numpy as np
from keras import ops


def items(name: str, raw: Any, what: str) -> list[Any]:
    """Returns the rows of a batch, in plain Python where they are strings or lists of them.

    Args:
        name: of the argument, for errors.
        raw: a list, a tuple, an array, a series of pandas, or whatever else can be gone through.
        what: its rows are, in the plural.

    Raises:
        TypeError: it is one value, or a mapping.
    """
    single = isinstance(raw, (str, bytes, os.PathLike, Mapping)) or not isinstance(raw, Iterable)
    if single or getattr(raw, "ndim", 1) == 0:
        kind = "text" if isinstance(raw, str) else type(raw).__name__
        raise TypeError(
            f"`{name}` must be a list of {what}. Received: the {kind} {short(raw)}. One alone is a "
            "list too: [x]"
        )
    if isinstance(raw, np.ndarray) and raw.dtype.kind in "OUST":
        return raw.tolist()
    return list(raw)


def objects(values: Sequence[Any]) -> np.ndarray:
    """Returns a 1-D object array of values of any kind, lists of one length included."""
    array = np.empty(len(values), object)
    for row, value in enumerate(values):  # at once, NumPy would look into lists
        array[row] = value
    return array


def ids(name: str, raw: Any, form: str, *, padding: int = 0) -> np.ndarray | None:
    """Returns `raw` as int32 if it is ids, else `None`.

    Rows of different lengths are padded on the right.

    Args:
        name: of the argument, for errors.
        raw: an array or a tensor of integers; for `(B, T)` a list of rows of integers too.
        form: the shape, `"(B, T)"` or `"(B, T, C)"`.
        padding: the id of padding, or -1.

    Raises:
        ValueError: the ids have another rank, or are negative (but for padding) or no int32.
    """
    if ops.is_tensor(raw):
        raw = ops.convert_to_numpy(raw)
    rows = raw.tolist() if isinstance(raw, np.ndarray) and raw.dtype == object else raw
    if form == "(B, T)" and isinstance(rows, (list, tuple)) and _are_rows(rows):
        raw = np.full((len(rows), max(map(len, rows))), padding, np.int64)
        for target, row in zip(raw, rows, strict=True):
            target[: len(row)] = row
    if not isinstance(raw, np.ndarray) or raw.dtype.kind not in "iu":
        return None
    if raw.ndim != form.count(",") + 1:
        raise ValueError(
            f"`{name}` must have shape {form}. Received: {name} of shape {tuple(raw.shape)}"
        )
    lowest, highest = (int(raw.min()), int(raw.max())) if raw.size else (0, 0)
    if lowest < min(0, padding) or highest >= 2**31:
        raise ValueError(
            f"`{name}` must be ids from {min(0, padding)} to {2**31 - 1}. Received: from "
            f"{lowest} to {highest}"
        )
    return raw.astype(np.int32)


def text(value: Any, row: int) -> str:
    """Returns a text of a row of a batch, if it can be encoded.

    Raises:
        TypeError: it is no string.
        ValueError: it has half a character.
    """
    if not isinstance(value, str):
        raise TypeError(f"A text must be a string. Received: {short(value)} in row {row}")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"A text must have whole characters. Received: half of one (a lone surrogate, "
            f"{value[error.start]!a}) at position {error.start} of row {row}. "
            "`text.encode('utf-8', 'replace').decode()` puts '?' in its place."
        ) from None
    return value


def words(value: Any, row: int, split: Callable[[str], list[str]]) -> list[str]:
    """Returns the words of a text, or those of a list of words.

    Args:
        value: a string, or a list, tuple or array of strings.
        row: of the batch, for errors.
        split: a function from a string to words.

    Raises:
        TypeError: it is neither.
        ValueError: it has half a character.
    """
    if isinstance(value, str):
        return split(text(value, row))
    words = value.tolist() if isinstance(value, np.ndarray) else value
    if not isinstance(words, (list, tuple)) or not all(isinstance(word, str) for word in words):
        raise TypeError(
            f"A text must be a string or a list of words. Received: {short(value)} in row {row}"
        )
    return [text(word, row) for word in words]


def numbers(name: str, raw: Any) -> np.ndarray:
    """Returns an array `(B, ...)` of numbers, for an input that no layer encodes.

    Raises:
        TypeError: it has something else than numbers.
        ValueError: its rows differ in shape.
    """
    if ops.is_tensor(raw):
        raw = ops.convert_to_numpy(raw)
    if isinstance(raw, np.ndarray) and raw.dtype == object:
        raw = list(raw)
    try:
        array = np.asarray(raw)
    except ValueError as error:
        raise ValueError(
            f"The rows for the input {name!r} must have one shape, for no layer pads them. "
            f"Received: {_first_two(raw)}. Pad them to one length, and mask the padding."
        ) from error
    if array.dtype.kind in "OUSTMm" or not array.ndim:
        raise TypeError(
            f"The input {name!r} takes an array of numbers (B, ...): no layer encodes raw values "
            f"for it. Received: {type(raw).__name__} {short(raw)}"
        )
    return array


def regular_file(path: os.PathLike) -> None:
    """Raises an error if a path is not that of a file: reading a pipe or a device may never end.

    Raises:
        FileNotFoundError: nothing is there.
        ValueError: it is something else, or no name of a file.
    """
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        raise FileNotFoundError(f"{path} does not exist.") from None
    except (OSError, ValueError) as error:  # too long, a null byte, no permission
        raise ValueError(f"{short(os.fspath(path))} names no file: {error}") from error
    if not stat.S_ISREG(mode):
        raise ValueError(f"{path} is no file.")


def short(value: Any) -> str:
    """Returns a value as text of at most 100 characters."""
    shown = ascii(value[:100] if isinstance(value, (str, bytes, list, tuple)) else value)
    return shown if len(shown) <= 100 else f"{shown[:97]}..."


def _are_rows(rows: Any) -> bool:
    """Returns whether these are ids of texts, some of which may be empty."""
    return any(map(_is_row, rows)) and all(_is_row(row) or not np.size(row) for row in rows)


def _is_row(row: Any) -> bool:
    """Returns whether these are ids of one text, at least one."""
    if isinstance(row, np.ndarray):
        return row.ndim == 1 and row.dtype.kind in "iu" and row.size > 0
    return (
        isinstance(row, (list, tuple))
        and bool(row)
        and all(isinstance(each, Integral) and not isinstance(each, bool) for each in row)
    )


def _first_two(rows: Any) -> str:
    """Returns in words which two rows differ in length."""
    lengths = [len(row) if hasattr(row, "__len__") else 1 for row in rows]
    other = next((i for i, length in enumerate(lengths) if length != lengths[0]), None)
    if other is None:
        return "rows that differ inside"
    return f"row 0 of length {lengths[0]}, row {other} of length {lengths[other]}"
