"""Files that tests of tasks share."""

import csv
from pathlib import Path

PUBLISHED_VIT = str(Path(__file__).parents[1] / "pretrained" / "checkpoints" / "vit")


def read_mistakes(folder):
    """Returns the rows of `mistakes.csv`; none if there is no such file."""
    path = folder / "mistakes.csv"
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
