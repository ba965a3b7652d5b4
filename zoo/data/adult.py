"""Adult: who earned more than 50,000 dollars in 1994, by 14 answers to the census."""

from pathlib import Path

import numpy as np

from zoo.data import Arrays, Source, Splits
from zoo.data.download import File, fetch

SOURCE = Source(
    name="Adult (Census Income)",
    url="https://archive.ics.uci.edu/dataset/2/adult",
    license="CC BY 4.0",
    citation="B. Becker and R. Kohavi, Adult, UCI, 1996, https://doi.org/10.24432/C5XW20",
)
_URL = "https://archive.ics.uci.edu/ml/machine-learning-databases/adult/"
_FILES = [
    File(
        url=f"{_URL}adult.data",
        sha256="5b00264637dbfec36bdeaab5676b0b309ff9eb788d63554ca0a249491c86603d",
    ),
    File(
        url=f"{_URL}adult.test",
        sha256="a2a9044bc167a35b2361efbabec64e89d69ce82d9790d2980119aac5fd7e9c05",
    ),
]
COLUMNS = (
    *("age", "workclass", "fnlwgt", "education", "education-num", "marital-status", "occupation"),
    *("relationship", "race", "sex", "capital-gain", "capital-loss", "hours-per-week"),
    "native-country",
)
NUMBERS = ("age", "education-num", "capital-gain", "capital-loss", "hours-per-week")
# fnlwgt says how many people a row stands for, not who they are; it is left out.
CATEGORIES = tuple(name for name in COLUMNS if name not in (*NUMBERS, "fnlwgt"))
CLASS_NAMES = ("<=50K", ">50K")


def load(seed: int = 0) -> Splits:
    """The official parts, 32,561 and 16,281 rows; 3,256 of the former to choose by.

    Args:
        seed: of the validation rows.

    Returns:
        x by column, numbers as float64 and categories as strings (`?` where unknown), y `(B,)`
        int32.
    """
    (x, y), test = (read(fetch("adult", file)) for file in _FILES)
    order = np.random.default_rng(seed).permutation(len(y))
    held_out, rest = order[: len(y) // 10], np.sort(order[len(y) // 10 :])

    def rows(which: np.ndarray) -> Arrays:
        return {name: column[which] for name, column in x.items()}, y[which]

    return Splits(
        train=rows(rest),
        validation=rows(held_out),
        test=test,
        feature_names=COLUMNS,
        class_names=CLASS_NAMES,
        source=SOURCE,
    )


def read(path: str | Path) -> Arrays:
    """The rows of a file in UCI's format.

    Raises:
        ValueError: a row has another number of fields, or an unknown label.
    """
    rows, y = [], []
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        fields = [field.strip() for field in line.split(",")]
        if len(fields) < 2:  # blank, or the comment that begins adult.test
            continue
        label = fields[-1].removesuffix(".")
        if len(fields) != len(COLUMNS) + 1 or label not in CLASS_NAMES:
            raise ValueError(f"{path} has a row that is not one of this dataset: {line[:80]!r}")
        rows.append(fields[:-1])
        y.append(CLASS_NAMES.index(label))
    columns = dict(zip(COLUMNS, zip(*rows, strict=True), strict=True))
    x = {
        name: np.array(columns[name], np.float64 if name in NUMBERS else object)
        for name in (*NUMBERS, *CATEGORIES)
    }
    return x, np.array(y, np.int32)


def sample() -> Splits:
    """Made-up people of the same form: those who work long in one occupation earn more."""
    rng = np.random.default_rng(0)

    def part(size: int) -> Arrays:
        hours = rng.integers(10, 60, size).astype(np.float64)
        job = rng.integers(0, 3, size)
        x = {name: rng.integers(0, 50, size).astype(np.float64) for name in NUMBERS}
        x["hours-per-week"] = hours
        for name in CATEGORIES:
            x[name] = np.array(["a", "b", "?"], object)[rng.integers(0, 3, size)]
        x["occupation"] = np.array(["Sales", "Tech-support", "?"], object)[job]
        return x, ((hours > 35) & (job == 1)).astype(np.int32)

    return Splits(
        train=part(96),
        validation=part(32),
        test=part(32),
        feature_names=COLUMNS,
        class_names=CLASS_NAMES,
        source=SOURCE,
    )


def vocabularies(x: dict[str, np.ndarray]) -> dict[str, list[str]]:
    """The categories of each column of a training part."""
    return {name: sorted(set(x[name])) for name in CATEGORIES}
