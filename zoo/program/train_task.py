"""The training of a user's own data: the options of a task, and what is printed."""

import argparse
import json
import re
from pathlib import Path

from zoo import tasks
from zoo.program import signatures, training


def names() -> list[str]:
    """Returns the names of all tasks, as a command line spells them."""
    return sorted(name.replace("_", "-") for name in tasks.MODULES)


def promise(name: str) -> str:
    """Returns the first line of a task's docstring."""
    return _read(name).promise


def describe(name: str) -> str:
    """Returns what a task does, with an example."""
    return _read(name).description


def add_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    """Adds the options of the task `name`, which are the parameters of its function."""
    for parameter in _read(name).parameters:
        parameter.add_argument(parser)
    training.add_arguments(parser, output=f"runs/{name}-NAME_OF_DATA")


def run(name: str, args: argparse.Namespace) -> None:
    """Trains a task, and prints what was found, how good the model is and what to do with it."""
    folder = args.output or choose_folder(name, args.data)
    if folder.exists() and not folder.is_dir():
        raise argparse.ArgumentTypeError(f"--output: {folder} is a file, and must be a folder.")
    arguments = {each.name: getattr(args, each.name) for each in _read(name).parameters}
    if arguments.get("lora") and not arguments.get("init"):
        raise argparse.ArgumentTypeError("--lora adapts a published encoder: pass --init as well")
    backend = training.begin(args)
    from zoo.harness import reports

    print(f"Reading {args.data} ...", flush=True)
    prepared = getattr(tasks, name.replace("-", "_"))(**arguments)
    print(prepared.findings)
    print(
        f"Training {prepared.model.count_params():,} weights for at most "
        f"{prepared.recipe.epochs} epochs into {folder}",
        flush=True,
    )
    prepared.fit(folder, resume=args.resume)
    print(reports.format_summary(prepared.metrics))
    training.print_end(prepared.recipe, folder, backend)


def choose_folder(name: str, data: str) -> Path:
    """Returns the folder for a model of these data, by the names of the task and of the data.

    Raises:
        argparse.ArgumentTypeError: a model of other data is there.
    """
    path = Path(data).resolve()
    folder = Path("runs", f"{name}-" + re.sub(r"\W+", "-", path.stem))
    try:
        known = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
        trained_on = known["request"]["arguments"]["data"]
    except (OSError, ValueError, KeyError, TypeError):
        return folder
    if trained_on != str(path):
        raise argparse.ArgumentTypeError(
            f"{folder} has a model of {trained_on}. Pass --output with another folder."
        )
    return folder


def _read(name: str) -> signatures.Signature:
    return signatures.read("zoo.tasks." + tasks.MODULES[name.replace("-", "_")], name)
