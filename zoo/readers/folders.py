"""Folders with one folder of files for each class, and tables that name files."""

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from zoo.data import Arrays, Splits, objects
from zoo.readers import findings as of_data
from zoo.readers.findings import Findings, name_some
from zoo.readers.labels import number_classes
from zoo.readers.splitting import split_rows
from zoo.readers.tables import Table, choose_column, name_source, read_table, read_texts

# What folders are called that stand for parts and not for classes.
PARTS = {
    "train": ("train", "training"),
    "validation": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
}
PATHS = ("path", "file", "filename", "file_name")
LABELS = ("label", "class", "category", "target")
FEW = 20  # files of a class
_CHUNK, _THREADS, _LONG = 256, 4, 2000  # files at a time; of more than so many there is a bar


@dataclass(frozen=True)
class Kind:
    """A kind of files.

    Attributes:
        name: of several, such as `"images"`.
        suffixes: of their names, in lower case.
        look: returns what is worth knowing of a file, or raises `ValueError` if it is damaged.
    """

    name: str
    suffixes: tuple[str, ...]
    look: Callable[[Path], Any]


@dataclass(frozen=True)
class Files:
    """Files with their classes.

    Attributes:
        paths: of the files.
        labels: their classes.
        digests: of their content.
        facts: what `Kind.look` says of each.
    """

    paths: Sequence[Path]
    labels: Sequence[str]
    digests: Sequence[bytes]
    facts: Sequence[Any]

    def take(self, rows: np.ndarray) -> "Files":
        """Returns some of the files."""
        columns = (self.paths, self.labels, self.digests, self.facts)
        return Files(*([column[row] for row in rows] for column in columns))


def read_splits(
    data: Table,
    test: Table | None,
    *,
    kind: Kind,
    labels: Table | None,
    path: str | None,
    label: str | None,
    on_error: str,
    seed: int,
    findings: Findings,
) -> tuple[Splits, list[Any]]:
    """Returns the parts of files with classes, whose x are paths, and what each file is like.

    Every file is read once, so that a damaged one is known before anything is trained.

    Args:
        data: a folder with a folder for each class, or with folders of parts that have those; a
            folder of files, with `labels`; or a table that names files, relative to its place.
        test: the same to test on; a tenth of the files if `None`.
        kind: of the files.
        labels: a table of the files in `data` and their classes.
        path, label: columns of the table.
        on_error: `"stop"` at a file that cannot be read, or `"skip"` it.
        seed: of the split.
        findings: to which what is found is added.

    Raises:
        ValueError: a file cannot be read, a column is missing, there is one class alone, or a
            class in the test data alone.
    """
    if on_error not in ("stop", "skip"):
        raise ValueError(f"`on_error` must be 'stop' or 'skip'. Received: on_error={on_error!r}")
    places: dict[str, Table] = {"train": data, "validation": None, "test": test}
    if labels is None and (parts := find_parts(data)):
        places |= {name: parts[name] for name in parts if places[name] is None or name == "train"}
        findings.add(
            "Folders: "
            + ", ".join(f"{place.name} ({name})" for name, place in parts.items())
            + " are taken for parts of the data"
        )
    files = {}
    for name, place in places.items():
        if place is None:
            continue
        argument = {"train": "data"}.get(name, name)
        folder = _as_folder(data) if labels is not None else None
        table = labels if labels is not None and name == "train" else place
        paths, classes = _find(
            table, folder, kind, path=path, label=label, argument=argument, findings=findings
        )
        files[name] = _examine(paths, classes, kind, argument, on_error, findings)
    whole = files["train"]
    of_data.add_classes(findings, whole.labels)
    _add_small_classes(findings, whole.labels, kind)
    of_data.add_duplicates(findings, whole.digests, whole.labels)
    missing = [name for name in ("validation", "test") if name not in files]
    rows = split_rows(whole.digests, whole.labels, seed=seed, parts=1 + len(missing))
    if "test" in files:
        of_data.add_leakage(findings, whole.digests, files["test"].digests)
    parts = {**files, **{n: whole.take(r) for n, r in zip(("train", *missing), rows, strict=True)}}
    train, validation, tested = (parts[name] for name in ("train", "validation", "test"))
    names, numbers = number_classes(train.labels, validation.labels, tested.labels)
    findings.add(
        f"Parts: {len(train.paths):,} {kind.name} to train on, {len(validation.paths):,} to choose "
        f"by, {len(tested.paths):,} to test on"
        + (f"; {' and '.join(missing)} split by seed {seed}" if missing else ", all given")
    )
    arrays: list[Arrays] = [
        (objects(part.paths), number)
        for part, number in zip((train, validation, tested), numbers, strict=True)
    ]
    splits = Splits(
        train=arrays[0],
        validation=arrays[1],
        test=arrays[2],
        class_names=names,
        source=name_source(data),
    )
    return splits, list(whole.facts)


def find_parts(data: Table) -> dict[str, Path]:
    """Returns the folders of parts by their names in `PARTS`; none if the folders are classes.

    They are parts if `train` is among them, there are no others, and `train` has folders itself.
    """
    if not isinstance(data, str | Path) or not Path(data).is_dir():
        return {}
    by_name = {each.name.lower(): each for each in _list_folders(Path(data))}
    parts = {
        part: by_name[name] for part, names in PARTS.items() for name in names if name in by_name
    }
    whole = len(parts) == len(by_name) > 1 and "train" in parts
    return parts if whole and _list_folders(parts["train"]) else {}


def _find(
    place: Table,
    folder: Path | None,
    kind: Kind,
    *,
    path: str | None,
    label: str | None,
    argument: str,
    findings: Findings,
) -> tuple[list[Path], list[str]]:
    """Returns the files of a folder of classes, or of a table, and their classes."""
    if isinstance(place, str | Path) and Path(place).is_dir():
        return _walk(_as_folder(place), kind, argument, findings)
    if isinstance(place, str | Path) and not Path(place).exists():
        raise ValueError(f"`{argument}` names neither a folder nor a table. Received: {place}")
    frame = read_table(place, argument=argument)
    files = read_texts(frame, choose_column(frame, path, argument="path", usual=PATHS))
    labels = read_texts(frame, choose_column(frame, label, argument="label", usual=LABELS))
    pairs = [(a.strip(), b) for a, b in zip(files, labels, strict=True) if a.strip() and b.strip()]
    findings.add(f"{argument.capitalize()}: {len(files):,} rows")
    if len(pairs) < len(files):
        findings.warn(
            f"{len(files) - len(pairs):,} rows of `{argument}` are left out: their path or class "
            "is empty."
        )
    if not pairs:
        raise ValueError(f"No row of `{argument}` has a path and a class.")
    if folder is None:
        folder = Path(place).resolve().parent if isinstance(place, str | Path) else Path.cwd()
    return [folder / name for name, _ in pairs], [name for _, name in pairs]


def _walk(
    folder: Path, kind: Kind, argument: str, findings: Findings
) -> tuple[list[Path], list[str]]:
    """Returns the files below each folder of a folder, whose name is their class."""
    classes = _list_folders(folder)
    if not classes:
        raise ValueError(
            f"`{argument}` must have a folder of {kind.name} for each class, such as "
            f"cat/1{kind.suffixes[0]}, or `labels` must name a table of the files and their "
            f"classes. {folder} has no folders."
        )
    paths, labels, empty, others = [], [], [], Counter[str]()
    for each in classes:
        files = sorted(
            file for file in each.rglob("*") if file.is_file() and not _is_hidden(file, each)
        )
        ours = [file for file in files if file.suffix.lower() in kind.suffixes]
        others.update(file.suffix.lower() or file.name for file in files if file not in set(ours))
        empty += [] if ours else [each.name]
        paths += ours
        labels += [each.name] * len(ours)
    if not paths:
        raise ValueError(
            f"`{argument}` has no {kind.name} ({', '.join(kind.suffixes)}) in its "
            f"{len(classes):,} folders. Received: {folder}"
        )
    findings.add(f"{argument.capitalize()}: {len(paths):,} {kind.name} in {len(classes):,} folders")
    beside = sum(file.suffix.lower() in kind.suffixes for file in folder.iterdir())
    if beside:
        findings.warn(f"{beside:,} {kind.name} in {folder.name} itself are in no class: left out.")
    if empty:
        findings.warn(f"Folders without {kind.name}: {name_some(empty)}.")
    if others:
        each = name_some(f"{suffix} ({count:,})" for suffix, count in others.most_common())
        findings.warn(f"Files that are no {kind.name} by their names are left out: {each}.")
    return paths, labels


def _examine(
    paths: Sequence[Path],
    labels: Sequence[str],
    kind: Kind,
    argument: str,
    on_error: str,
    findings: Findings,
) -> Files:
    """Returns the files that can be read.

    Raises:
        ValueError: one cannot be read and `on_error` is `"stop"`, or none can.
    """
    rows: list[tuple[Path, str, bytes, Any]] = []
    faults: list[str] = []
    bar = keras.utils.Progbar(len(paths), unit_name="file") if len(paths) > _LONG else None
    with ThreadPoolExecutor(_THREADS) as threads:
        for start in range(0, len(paths), _CHUNK):
            chunk = paths[start : start + _CHUNK]
            seen = threads.map(lambda path: _look(path, kind), chunk)
            for path, label, (digest, fact, fault) in zip(
                chunk, labels[start : start + _CHUNK], seen, strict=True
            ):
                if not fault:
                    rows.append((path, label, digest, fact))
                elif on_error == "skip":
                    faults.append(fault)
                else:
                    raise ValueError(
                        f"{fault} Repair or remove it, or pass on_error='skip' (--on-error skip) "
                        "to leave such files out."
                    )
            if bar:
                bar.add(len(chunk))
    if faults:
        findings.warn(
            f"{len(faults):,} of {len(paths):,} files of `{argument}` cannot be read and are left "
            f"out: {name_some(faults)}"
        )
    if not rows:
        raise ValueError(f"None of the {len(paths):,} files of `{argument}` can be read.")
    return Files(*map(list, zip(*rows, strict=True)))


def _look(path: Path, kind: Kind) -> tuple[bytes, Any, str]:
    """Returns digest and facts of a file, or what is wrong with it."""
    try:
        fact = kind.look(path)  # first: it refuses what is no file, which to read may never end
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest(), fact, ""
    except (OSError, ValueError) as error:
        text = str(error) if str(path) in str(error) else f"{path}: {error}"
        return b"", None, text.rstrip(".") + "."


def _add_small_classes(findings: Findings, labels: Sequence[str], kind: Kind) -> None:
    """Adds the classes with few files."""
    counts = Counter(labels)
    few = [f"{name} ({count})" for name, count in counts.most_common() if count < FEW]
    if few:
        findings.warn(
            f"Classes with fewer than {FEW} {kind.name}: {name_some(few)}. They are learned badly, "
            "and their part of the score is of a few or none."
        )


def _as_folder(data: Table) -> Path:
    """Returns a folder by its whole path.

    Raises:
        ValueError: it is none.
    """
    if isinstance(data, str | Path) and Path(data).is_dir():
        return Path(data).resolve()
    raise ValueError(
        f"`data` must be the folder of the files that `labels` names. Received: {data!s:.200}"
    )


def _list_folders(folder: Path) -> list[Path]:
    return sorted(
        each for each in folder.iterdir() if each.is_dir() and not _is_hidden(each, folder)
    )


def _is_hidden(path: Path, folder: Path) -> bool:
    """Whether a path is hidden below a folder, as those are that systems leave."""
    names = path.relative_to(folder).parts
    return any(name.startswith(".") or name == "__MACOSX" for name in names)
