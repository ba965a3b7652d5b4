"""Types of arguments that name files."""

import argparse
import json
from pathlib import Path
from typing import Any

import _console


def file(text: str) -> Path:
    """The type of a file that is read."""
    path = Path(text)
    if not path.is_file():
        beside = path.parent.glob("*") if path.parent.is_dir() else Path("runs").glob("*/*")
        meant = _console.suggest(text, list(map(str, beside)))
        raise argparse.ArgumentTypeError(f"there is no file {text}{meant}")
    return path


def model(text: str) -> Path | str:
    """The type of a model: a file, a folder that has one, or `hf://user/name`."""
    return text if text.startswith("hf://") or Path(text).is_dir() else file(text)


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
