"""Trainings of recipes and of tasks: the options that they share, and how they begin and end."""

import argparse
import csv
import itertools
import shlex
from pathlib import Path
from typing import Any

from zoo.program import backend, console

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")
_SHOWN = 3  # wrong answers


def add_arguments(parser: argparse.ArgumentParser, *, output: str) -> None:
    """Adds the options that every training has.

    Args:
        parser: of the training.
        output: what `--help` says of the default folder.
    """
    add = parser.add_argument
    add("--output", type=Path, help=f"folder; {output}")
    add("--resume", action="store_true", help="go on from OUTPUT/checkpoints, or begin")
    precision = console.one_of("precision", PRECISIONS)
    add("--precision", type=precision, help=", ".join(PRECISIONS))
    backend.add_argument(parser)


def begin(args: argparse.Namespace) -> str:
    """Chooses backend and precision, and returns the backend. Keras is imported then."""
    chosen = backend.choose(args.backend)
    backend.keep_memory()
    import keras

    if args.precision:
        keras.config.set_dtype_policy(args.precision)
    return chosen


def print_end(recipe: Any, folder: Path, backend: str) -> None:
    """Prints which wrong answers are worth a look, if there are any, and what to do next."""
    mistakes = format_mistakes(folder / "mistakes.csv")
    if mistakes:
        print(mistakes)
    print("Next:", format_next_step(recipe.next_step, folder / "model.keras", backend))


def format_next_step(step: str, model: Path, backend: str) -> str:
    """Returns the next step of a recipe. Texts of users in it may have braces of their own."""
    step = step.replace("{folder}/model.keras", shlex.quote(str(model)))
    step = step.replace("{folder}", shlex.quote(str(model.parent)))
    return step.replace("{backend}", backend)


def format_mistakes(path: Path) -> str:
    """Returns where wrong answers are, and the first of them; nothing if there is no file."""
    if not path.exists():
        return ""
    with path.open(encoding="utf-8", newline="") as file:
        first = itertools.islice(csv.DictReader(file), _SHOWN)
        lines = [
            "  " + ", ".join(f"{name}: {_shorten(value)}" for name, value in each.items())
            for each in first
        ]
    return "\n".join([f"Wrong answers worth a look are in {path}, such as", *lines])


def _shorten(value: str | None) -> str:
    text = " ".join((value or "").split())
    return text if len(text) <= 60 else f"{text[:57]}..."
