"""Types of arguments that name files."""

import argparse
import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from zoo import box
from zoo.program import console

MODEL = (
    "a model that comes along (`keras-attention list`), a .keras file, the folder of a training, "
    "or hf://user/name"
)


def file(text: str, *, also: Collection[str] = ()) -> Path:
    """The type of a file that is read; `also` are names that might have been meant."""
    path = Path(text)
    if not path.is_file():
        beside = path.parent.glob("*") if path.parent.is_dir() else Path("runs").glob("*/*")
        meant = console.suggest(text, [*also, *map(str, beside)])
        raise argparse.ArgumentTypeError(f"there is no file {text}{meant}")
    return path


def existing(text: str) -> str:
    """The type of a file or a folder that is read, for who takes its name as a text."""
    return text if Path(text).is_dir() else str(file(text))


def table(text: str) -> Path:
    """The type of a table that is written."""
    path = Path(text)
    if path.suffix.lower() != ".csv":
        raise argparse.ArgumentTypeError(f"must be a .csv file, not {text}")
    return path


def model(text: str) -> Path | str:
    """The type of a model: one that comes along, a file, a folder of one, or `hf://user/name`."""
    return text if text.startswith("hf://") else saved_model(text)


def saved_model(text: str) -> Path:
    """The type of a model on this machine: one that comes along, a file, a folder that a training
    left, or one that has the members of a file."""
    if text in box.names():
        return box.describe(text).path
    path = Path(text)
    if path.is_dir():
        if (path / "config.json").is_file():
            return path
        if not (path / "model.keras").is_file():
            raise argparse.ArgumentTypeError(f"there is no model.keras in the folder {text}.")
        return path / "model.keras"
    return file(text, also=box.names())


def beside(model: Path | str) -> Path:
    """Returns the folder for what is made of a model: its own, if that is the user's."""
    path = Path(model)
    comes_along = path.is_relative_to(box.FOLDER)
    return path.parent if path.exists() and not comes_along else Path()


def read_text(path: Path) -> str:
    """Returns the content of a text file.

    Raises:
        ValueError: it is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path} is not UTF-8: byte {error.start:,} is {error.object[error.start]:#x}. "
            f"Convert it: iconv -f LATIN1 -t UTF-8 {path.name}"
        ) from error


def picture(text: str) -> Path:
    """The type of a picture that is written."""
    path = Path(text)
    if path.suffix not in (".png", ".jpg", ".pdf", ".svg") or not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"must be a .png in a folder that exists, not {text}")
    return path


def read_record(path: Path) -> dict[str, Any]:
    """Returns what a training left in a JSON file.

    Raises:
        ValueError: it is none.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is no JSON file: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} is not what a training leaves.")
    return content
