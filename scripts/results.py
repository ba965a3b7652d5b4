"""Writes docs/results.md from the measurements in docs/results/."""

import argparse
from pathlib import Path

import _backend
import _console
import _paths

ROOT = Path(__file__).parents[1]
FOLDER, PAGE = ROOT / "docs/results", ROOT / "docs/results.md"


def parse() -> argparse.Namespace:
    parser = _console.Parser(description=__doc__)
    parser.add_argument(
        "--add",
        type=_paths.file,
        nargs="+",
        default=[],
        metavar="FILE",
        help="metrics.json or repeats.json of a training, added to docs/results/ first",
    )
    return parser.parse_args()


def main() -> None:
    args = parse()
    _backend.choose()
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
    _console.run(main)
