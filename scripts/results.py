"""Writes docs/results.md and the tables of the README from the measurements in docs/results/."""

import argparse
from pathlib import Path

import _backend
import _console
import _paths

ROOT = Path(__file__).parents[1]
FOLDER, PAGE, README = ROOT / "docs/results", ROOT / "docs/results.md", ROOT / "README.md"
HEAD = """# Results

Made by `python scripts/results.py` from the files in [results](results), which trainings left:
mean ± standard deviation over seeds. Baselines are simpler methods on the same split, by
scikit-learn. Published figures are others', as each recipe's docstring says; not all
are measured the same way. Seconds are those of `fit` alone, on whatever else the machine had to do.

"""


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
    table = results.summary(trainings)
    write_text(PAGE, f"{HEAD}{table}\n\n{results.details(trainings)}\n")
    readme = results.insert(README.read_text(encoding="utf-8"), table)
    write_text(README, results.insert(readme, results.sources(trainings), results.SOURCES))
    print(f"{len(trainings)} trainings are in {PAGE} and {README}.")


if __name__ == "__main__":
    _console.run(main)
