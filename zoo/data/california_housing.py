"""California housing: the median house value of a census block group in 1990."""

from pathlib import Path

import numpy as np

from keras_attention import reading
from zoo.data import Arrays, Source, Splits
from zoo.data.download import File, fetch

SOURCE = Source(
    name="California housing, with the proximity to the ocean",
    url="https://github.com/ageron/handson-ml2/tree/master/datasets/housing",
    license="Apache-2.0 of the repository; the census data states none",
    citation=(
        "R. K. Pace and R. Barry, Sparse Spatial Autoregressions, Statistics & Probability "
        "Letters, 1997, https://doi.org/10.1016/S0167-7152(96)00140-X"
    ),
)
_FILE = File(
    url=(
        "https://raw.githubusercontent.com/ageron/handson-ml2/"
        "1e2115277b50f6c584cd668fa30e3af309a5b136/datasets/housing/housing.csv"
    ),
    sha256="8a3727f4cf54ac1a327f69b1d5b4db54c5834ea81c6e4efc0d163300022a685e",
)
NUMBERS = (
    *("longitude", "latitude", "housing_median_age", "total_rooms", "total_bedrooms"),
    *("population", "households", "median_income"),
)
CATEGORIES = ("ocean_proximity",)
COLUMNS = (*NUMBERS, *CATEGORIES)
TARGET = "median_house_value"
UNIT = 100_000.0  # dollars


def load(seed: int = 0) -> Splits:
    """20,640 block groups: 64 % to train on, 16 % to choose by, 20 % to test on, at random.

    Args:
        seed: of the split, which the dataset does not have.

    Returns:
        x by column, numbers as float64 (NaN where missing) and categories as strings, y `(B, 1)`
        float32 in 100,000 dollars.
    """
    return split(*read(fetch("california_housing", _FILE)), seed)


def read(path: str | Path) -> Arrays:
    """All rows of a file."""
    table = reading.table(Path(path))
    x = {
        name: np.array([float(value) if value else np.nan for value in table[name]])
        if name in NUMBERS
        else table[name]
        for name in COLUMNS
    }
    return x, (table[TARGET].astype(np.float64) / UNIT).astype(np.float32)[:, None]


def split(x: dict[str, np.ndarray], y: np.ndarray, seed: int) -> Splits:
    """The rows in three parts at random."""
    order = np.random.default_rng(seed).permutation(len(y))
    test, validation, train = np.split(order, [round(0.2 * len(y)), round(0.36 * len(y))])

    def part(rows: np.ndarray) -> Arrays:
        return {name: column[rows] for name, column in x.items()}, y[rows]

    return Splits(
        train=part(train),
        validation=part(validation),
        test=part(test),
        feature_names=COLUMNS,
        source=SOURCE,
    )


def sample() -> Splits:
    """Made-up block groups of the same form, whose value follows their income."""
    rng = np.random.default_rng(0)
    x = {name: rng.normal(size=160) for name in NUMBERS}
    x["total_bedrooms"][::20] = np.nan
    x["ocean_proximity"] = np.array(["INLAND", "NEAR BAY"], object)[rng.integers(0, 2, 160)]
    y = 2 + x["median_income"] + 0.1 * rng.normal(size=160)
    return split(x, y.astype(np.float32)[:, None], 0)
