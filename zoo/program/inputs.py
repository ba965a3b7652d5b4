"""Readers of the INPUTs of a command line, by what the model reads; Keras is not imported."""

import json
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zoo.program import console

ENCODERS = {
    "ImageConverter": "images",
    "AudioConverter": "recordings",
    **dict.fromkeys(("Tokenizer", "CharacterFeatures"), "texts"),
    **dict.fromkeys(("NumericColumns", "CategoricalColumns"), "tables"),
}
_TABLES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")  # what --data takes
_LARGEST = 2**24  # bytes of a configuration; a larger one is left to the loader


def find_kinds(model: Path | str) -> set[str] | None:
    """Returns what a model reads, by the configuration in its file; `None` if unclear."""
    try:
        with zipfile.ZipFile(model) as archive:
            if archive.getinfo("config.json").file_size > _LARGEST:
                return None
            layers = json.loads(archive.read("config.json"))["config"]["layers"]
        classes = [layer["class_name"] for layer in layers]
        names = {layer["config"]["name"] for layer in layers}
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, zipfile.BadZipFile):
        return None  # `ka.load_model` says what is wrong
    kinds = [ENCODERS[name] for name in classes if name in ENCODERS]
    if "target_ids" in names and "texts" in kinds:  # which the model writes, and does not read
        kinds.remove("texts")
    return set(kinds)


def read(kinds: set[str] | None, inputs: Sequence[str], image: str | None = None) -> list[Any]:
    """Returns the inputs, with a `Path` for each file.

    Ends the script if a file is missing or damaged. A text stays one, whatever it says.
    An `image` is what the inputs are questions about.
    """
    if image is not None or kinds == {"images", "texts"}:
        if kinds is not None and kinds != {"images", "texts"}:
            raise SystemExit("--image: this model reads no text and image together.")
        if image is None:
            raise SystemExit("The model answers questions about an image: pass --image PATH.")
        _file(image, {"images"})
        return list(inputs)
    if kinds == {"texts"}:
        for each in filter(_names_table, inputs):
            print(
                f"Note: {each!r} is read as a text. Pass --data {each} for the rows of that file.",
                file=sys.stderr,
            )
        return list(inputs)
    return [_file(each, kinds) if _names_file(each, kinds) else each for each in inputs]


def holds_rows(each: Any) -> bool:
    """Returns whether an input is a file with a batch in it."""
    return isinstance(each, Path) and each.suffix.lower() in (".csv", ".npz")


def _names_table(text: str) -> bool:
    return Path(text).suffix.lower() in _TABLES and Path(text).is_file()


def _names_file(text: str, kinds: set[str] | None) -> bool:
    path = Path(text)
    return path.is_file() if kinds is None else "tables" not in kinds or holds_rows(path)


def _file(text: str, kinds: set[str] | None) -> Path:
    path = Path(text)
    if not path.is_file():
        what = ", ".join(sorted(kinds or {"arrays"}))
        hint = console.suggest(text, list(map(str, path.parent.glob("*"))))
        raise SystemExit(f"There is no file {text!r}, and the model reads {what}{hint}")
    if kinds == {"images"} and path.suffix.lower() != ".npz":
        try:
            from PIL import Image

            with Image.open(path, formats=("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF")) as file:
                file.verify()
        except ImportError:
            return path  # the model's first layer says what to install
        except Exception as error:  # pillow raises what its many readers do, SyntaxError too
            raise SystemExit(f"{text} is no picture, or a damaged one: {error}") from error
    return path
