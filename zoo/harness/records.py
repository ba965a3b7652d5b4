"""Measurements in files: a recipe's in `RECIPE.jsonl`, a line each."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from keras_attention.saving.files import write_text

Record = Mapping[str, Any]


def load(folder: Path) -> list[dict[str, Any]]:
    """Returns the records of a folder, those of a recipe in the order in which they came."""
    return [record for path in sorted(folder.glob("*.jsonl")) for record in _lines(path)]


def add(records: Iterable[Record], folder: Path, *, key: Sequence[str]) -> None:
    """Adds records to the files of their recipes.

    Args:
        records: each with its `"recipe"`.
        folder: of the files.
        key: what tells the records of a recipe apart. A record takes the place of that with the
            same values of these.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for record in records:
        path = folder / f"{record['recipe']}.jsonl"
        by_key = {
            tuple(each[name] for name in key): each
            for each in [*(_lines(path) if path.exists() else []), record]
        }
        lines = [json.dumps(each, ensure_ascii=False) for each in by_key.values()]
        write_text(path, "\n".join(lines) + "\n")


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
