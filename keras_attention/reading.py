"""Raw values of a whole batch from one file: arrays from `.npz`, a table or a series from `.csv`.

What a file would take in memory is known from its headers, before it is taken.
"""

import csv
import math
import zipfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_attention.ops import batches

MAX_BYTES = 2**28
_TEXT = 8  # bytes in memory for each one of a table's file
_VERSIONS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def holds_batch(path: Path) -> bool:
    """Whether the file holds a batch, by its name."""
    return path.suffix.lower() in (".npz", ".csv")


def arrays(path: Path, names: Collection[str], max_bytes: int = MAX_BYTES) -> dict[str, np.ndarray]:
    """Returns the arrays of an `.npz` file.

    Args:
        path: of the file.
        names: all arrays that it must have.
        max_bytes: what they may take in memory together.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no such file, has other arrays, some that are not of numbers, or is too
            large.
    """
    batches.regular_file(path)
    try:
        with zipfile.ZipFile(path) as archive:
            held = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            if set(held) != set(names) or len(held) != len(archive.infolist()):
                raise ValueError(
                    f"{path} must have the arrays {', '.join(sorted(names))}, each once. It has "
                    f"{batches.short(', '.join(sorted(held)))}"
                )
            sizes = {name: _array_bytes(path, archive, info) for name, info in held.items()}
            _check_size(path, sum(sizes.values()), max_bytes)
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in names}
    except (zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, OSError, NotImplementedError) as e:
        raise ValueError(f"{path} cannot be read as an .npz file: {e}") from e


def _array_bytes(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> int:
    """Returns how many bytes an array takes in memory, by its header."""
    with archive.open(info) as member:
        version = np.lib.format.read_magic(member)
        if version not in _VERSIONS:
            raise ValueError(f"{path} has {info.filename} in the format {version} of NumPy.")
        shape, _, dtype = _VERSIONS[version](member)
    if dtype.hasobject or dtype.kind not in "biuf":
        raise ValueError(
            f"{path} must have arrays of numbers alone, without pickled objects "
            f"(allow_pickle=False). {batches.short(info.filename)} has the dtype {dtype}"
        )
    return max(math.prod(shape) * dtype.itemsize, info.file_size)


def table(path: Path, max_bytes: int = MAX_BYTES) -> dict[str, np.ndarray]:
    """Returns the columns of a CSV file with a header, as object arrays of strings.

    Args:
        path: of the file.
        max_bytes: what it may take in memory, about eight times its size.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no such table, or is too large.
    """
    batches.regular_file(path)
    _check_size(path, _TEXT * path.stat().st_size, max_bytes)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [row for row in csv.reader(file, skipinitialspace=True) if row]
    except (csv.Error, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read as a table: {error}") from error
    if len(rows) < 2:
        raise ValueError(f"{path} has no row below its header.")
    header, *rows = rows
    twice = [name for i, name in enumerate(header) if name in header[:i]]
    if twice:
        raise ValueError(f"The header of {path} has the column {batches.short(twice[0])} twice.")
    for number, row in enumerate(rows, 2):
        if len(row) != len(header):
            raise ValueError(
                f"Row {number} of {path} has {len(row)} fields, and the header {len(header)}."
            )
    return {name: np.array(column, object) for name, *column in zip(header, *rows, strict=True)}


def series(columns: Mapping[str, np.ndarray], series: Any, names: Sequence[str] = ()) -> np.ndarray:
    """Returns the last rows `(1, T, C)` of the columns of numbers, as many as an input takes.

    Args:
        columns: of a table.
        series: the input `(B, T, C)`.
        names: the columns, in the order of the channels; if one of them is not there, all columns
            of numbers in the order of the table.

    Raises:
        ValueError: there are other columns of numbers than the input takes, or too few rows; or a
            column of that name has no number in one of the last rows.
    """
    numbers = []
    named = bool(names) and all(name in columns for name in names)
    for name in names if named else columns:
        column = columns[name]
        if named and series.shape[1]:
            column = column[-series.shape[1] :]
        try:
            numbers.append(column.astype(np.float32))
        except ValueError as error:  # names or dates
            if named:
                raise ValueError(f"The column {name!r} must have numbers: {error}") from error
    if len(series.shape) != 3:
        raise ValueError(
            f"The input {series.name!r} of shape {tuple(series.shape)} takes no table. Pass an "
            "array, or an .npz file that has it."
        )
    _, length, width = series.shape
    if len(numbers) != width or len(numbers[0]) < (length or 1):
        raise ValueError(
            f"The input {series.name!r} takes {length} rows of {width} columns of numbers. "
            f"Received: {len(numbers)} such columns, of {len(next(iter(columns.values())))} rows"
        )
    return np.stack(numbers, axis=-1)[None, -(length or 0) :]


def _check_size(path: Path, needed: int, max_bytes: int) -> None:
    if needed > max_bytes:
        raise ValueError(
            f"{path} would take {needed:,} bytes in memory, above the limit of {max_bytes:,}. If "
            f"you trust it, pass `max_bytes={needed}`."
        )
