"""Pictures and tables that name them, such as captions or questions about them."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

import keras_attention as ka
from zoo.data import objects
from zoo.readers.findings import Findings, name_some
from zoo.readers.tables import SUFFIXES, Table, choose_column, read_table, read_texts

IMAGES = ("image", "file", "filename", "file_name", "image_file", "picture", "path")
TABLES = ("captions", "questions", "metadata")  # the usual names of a table beside its pictures
MEMORY = 2**29  # bytes of pixels that are kept; of more, files are read in every epoch
_ENDINGS = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".ppm")
_LONG = 2000  # pictures, of more than which there is a bar

Row = tuple[str, ...]  # the name of a picture, and what is said of it


@dataclass(frozen=True)
class Album:
    """Pictures by their names, each read once.

    Attributes:
        pixels: of each `(size, size, 3)` uint8; nothing if they are too many to keep.
        files: what each was read from, a path or an image.
        digests: of its pixels, by which pictures that are alike are told.
    """

    pixels: Mapping[str, np.ndarray]
    files: Mapping[str, Any]
    digests: Mapping[str, bytes]

    def of(self, names: Iterable[str]) -> np.ndarray:
        """Returns pixels `(B, size, size, 3)`, or `(B,)` objects of which a model reads them."""
        if self.pixels:
            return np.stack([self.pixels[name] for name in names])
        return objects(self.files[name] for name in names)


def find_table(folder: Table, *, argument: str) -> Path:
    """Returns the table that lies in a folder of pictures, such as `captions.tsv`.

    Raises:
        ValueError: there is none.
    """
    named = Path(folder) if isinstance(folder, str | Path) else None
    if named is not None and named.is_dir():
        for name in TABLES:
            for suffix in SUFFIXES:
                if (named / (name + suffix)).is_file():
                    return named / (name + suffix)
    raise ValueError(
        f"Pass `{argument}`, a table ({', '.join(SUFFIXES)}) that names pictures and what is said "
        f"of them. There is none in `data` by the name of {' or '.join(TABLES)}."
    )


def read_rows(
    table: Table,
    columns: Mapping[str, tuple[str | None, Sequence[str]]],
    *,
    argument: str,
    findings: Findings,
) -> list[Row]:
    """Returns the rows of a table that have something in all columns.

    A table of files without a header has its first row for one: where no column is named and the
    first names a picture, it is a row.

    Args:
        table: as `read_table` takes it.
        columns: by what they are, such as `"image"`, the name that the user gave and usual ones.
        argument: the name of the table, for messages.
        findings: to which is added how many there are, and how many are left out.

    Raises:
        ValueError: a column is missing, or no row is whole.
    """
    frame = read_table(table, argument=argument)
    header, given = list(frame.columns), [name for name, _ in columns.values() if name]
    if not given and len(header) == len(columns) and header[0].lower().endswith(_ENDINGS):
        lists = [[first, *read_texts(frame, first)] for first in header]
        findings.warn(
            f"`{argument}` has no header: its columns are taken for {', '.join(columns)}."
        )
    else:
        lists = [
            read_texts(frame, choose_column(frame, name, argument=what, usual=usual))
            for what, (name, usual) in columns.items()
        ]
    rows = [tuple(each.strip() for each in row) for row in zip(*lists, strict=True)]
    whole = [row for row in rows if all(row)]
    findings.add(f"{argument.capitalize()}: {len(rows):,} rows")
    for number, what in enumerate(columns):
        empty = sum(not row[number] for row in rows)
        if empty:
            findings.warn(f"{empty:,} rows of `{argument}` are left out: their {what} is empty.")
    if not whole:
        raise ValueError(f"No row of `{argument}` has all of {', '.join(columns)}.")
    return whole


def read_album(
    pictures: Table,
    rows: Sequence[Row],
    *,
    size: int,
    argument: str,
    on_error: str,
    findings: Findings,
) -> tuple[Album, list[Row]]:
    """Returns the pictures that rows name, and those rows whose picture can be read.

    Every picture is read once, so that a damaged one is known before anything is trained. The
    pixels are kept if those of all rows take no more than `MEMORY`.

    Args:
        pictures: a folder, or a mapping from names to images or paths.
        rows: whose first entry is the name of a picture.
        size: side of what a model reads.
        argument: the name of the pictures, for messages.
        on_error: `"stop"` at a picture that is missing or damaged, or `"skip"` its rows.
        findings: to which what is found is added.

    Raises:
        ValueError: a picture is missing or damaged and `on_error` is `"stop"`; or all are.
    """
    if on_error not in ("stop", "skip"):
        raise ValueError(f"`on_error` must be 'stop' or 'skip'. Received: on_error={on_error!r}")
    files = _find_files(pictures, dict.fromkeys(row[0] for row in rows), argument)
    reader = ka.layers.ImageConverter(size, size)
    keep = len(rows) * size * size * 3 <= MEMORY
    pixels, digests, faults = {}, {}, []
    bar = keras.utils.Progbar(len(files), unit_name="picture") if len(files) > _LONG else None
    for number, (name, file) in enumerate(files.items()):
        try:
            (array,) = reader.encode([file])
        except (OSError, ValueError, TypeError) as error:
            fault = str(error).rstrip(".") + "."
            if on_error == "stop":
                raise ValueError(
                    f"The picture {name!r} of a row cannot be used: {fault} Repair or remove it, "
                    "or pass on_error='skip' (--on-error skip) to leave such rows out."
                ) from error
            faults.append(fault)
            continue
        digests[name] = hashlib.sha256(array).digest()
        if keep:
            pixels[name] = array
        if bar:
            bar.update(number + 1)
    readable = [row for row in rows if row[0] in digests]
    if faults:
        findings.warn(
            f"{len(faults):,} of {len(files):,} pictures are missing or damaged, and "
            f"{len(rows) - len(readable):,} rows about them are left out: {name_some(faults)}"
        )
    if not readable:
        raise ValueError(
            f"None of the {len(files):,} pictures that rows name can be read in `{argument}`. The "
            f"first: {faults[0]}"
        )
    _add_pictures(findings, pictures, files, digests, readable)
    findings.add(
        f"The model sees {size} x {size} pixels: {len(rows) * size * size * 3 / 1e6:,.1f} MB, "
        + ("kept in memory" if keep else "read batch by batch in every epoch")
    )
    return Album(pixels, files, digests), readable


def _find_files(pictures: Table, names: Iterable[str], argument: str) -> dict[str, Any]:
    """Returns what to read for each name."""
    if isinstance(pictures, Mapping):
        missing = Path()  # of which `ImageConverter` says that it is no file
        return {name: pictures.get(name, missing / name) for name in names}
    if not isinstance(pictures, str | Path) or not Path(pictures).is_dir():
        raise ValueError(
            f"`{argument}` must be a folder of pictures, or a mapping from their names to images. "
            f"Received: {pictures!s:.200}"
        )
    folder = Path(pictures).resolve()
    return {name: folder / name for name in names}


def _add_pictures(
    findings: Findings,
    pictures: Table,
    named: Iterable[str],
    digests: Mapping[str, bytes],
    rows: Sequence[Row],
) -> None:
    """Adds how many pictures there are, those that are alike, and those that no row names."""
    findings.add(f"Pictures: {len(digests):,}, with {len(rows) / len(digests):.1f} rows each")
    alike = len(digests) - len(set(digests.values()))
    if alike:
        findings.warn(
            f"{alike:,} pictures look like another one of another name; those stay in one part."
        )
    if isinstance(pictures, Mapping):
        there = set(map(str, pictures))
    else:
        folder = Path(pictures)
        there = {
            path.relative_to(folder).as_posix()
            for path in folder.rglob("*")
            if path.suffix.lower() in _ENDINGS
        }
    unused = sorted(there - {Path(name).as_posix() for name in named})
    if unused:
        findings.warn(f"{len(unused):,} pictures are in no row: {name_some(unused)}")
