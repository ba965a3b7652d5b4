"""Writes docs/results.md from the measurements in docs/results/."""

import argparse
import sys
from pathlib import Path

from zoo.program import backend, console, paths

ROOT = Path(__file__).parents[1]
FOLDER, PAGE = ROOT / "docs/results", ROOT / "docs/results.md"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--add",
        type=paths.file,
        nargs="+",
        default=[],
        metavar="FILE",
        help="metrics.json or repeats.json of a training, added to docs/results/ first",
    )


def run(args: argparse.Namespace) -> None:
    backend.choose()
    from keras_attention.saving.files import write_text
    from zoo.harness import records, results

    for file in args.add:
        added = results.read(file)
        records.add(added, FOLDER, key=results.KEY)
        print(f"{file} is in {FOLDER / added[0]['recipe']}.jsonl now.")
    trainings = records.load(FOLDER)
    write_text(PAGE, results.page(trainings))
    print(f"{len(trainings)} trainings are in {PAGE}.")


if __name__ == "__main__":
    console.start(sys.modules[__name__])
