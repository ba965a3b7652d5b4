"""ETTh1: oil temperature and six loads of an electricity transformer, hourly over two years."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from zoo.data import Source, windows
from zoo.data.download import File, fetch
from zoo.data.windows import Windows

SOURCE = Source(
    name="ETTh1 (Electricity Transformer Temperature, hourly)",
    url="https://github.com/zhouhaoyi/ETDataset",
    license="CC BY-ND 4.0",
    citation=(
        "H. Zhou et al., Informer: Beyond Efficient Transformer for Long Sequence Time-Series "
        "Forecasting, AAAI 2021, https://arxiv.org/abs/2012.07436"
    ),
)
COLUMNS = ("HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT")
_FILE = File(
    url=(
        "https://raw.githubusercontent.com/zhouhaoyi/ETDataset/"
        "1d16c8f4f943005d613b5bc962e9eeb06058cf07/ETT-small/ETTh1.csv"
    ),
    sha256="f18de3ad269cef59bb07b5438d79bb3042d3be49bdeecf01c1cd6d29695ee066",
)
# Of Informer: 12, 4 and 4 months of 30 days.
_ENDS = (12 * 30 * 24, 16 * 30 * 24, 20 * 30 * 24)


def load(look_back: int = 96, horizon: int = 96) -> Windows:
    """Windows of the standard split: rows 0 to 8,640 to learn from, to 11,520 to choose by, and
    to 14,400 to test on; the last two parts look back into the one before.

    Args:
        look_back: hours that a forecast is made from.
        horizon: hours that are forecast.

    Returns:
        `x` `(B, look_back, 7)` float32 in the units of the file; `y` `(B, horizon, 7)` float32
        standardised. With 96 and 96, 8,449, 2,785 and 2,785 windows: all that
        there are. (Loaders that drop the last batch, which is not full, test on fewer.)
    """
    return _cut(read(fetch("etth1", _FILE)), _ENDS, look_back, horizon)


def sample(look_back: int = 96, horizon: int = 96) -> Windows:
    """Made-up series of the same form: waves of a day, each column with its own level."""
    rng = np.random.default_rng(0)
    part = horizon + 20
    ends = (look_back + 3 * part, look_back + 4 * part, look_back + 5 * part)
    hours = np.arange(ends[-1])[:, None]
    columns = np.arange(len(COLUMNS))
    series = 5 * columns + (1 + columns) * np.sin(2 * np.pi * (hours / 24 + columns / 7))
    series = (series + rng.normal(scale=0.1, size=series.shape)).astype(np.float32)
    return _cut(series, ends, look_back, horizon)


def read(path: str | Path) -> np.ndarray:
    """Returns the rows `(hours, 7)` float32 of a file, without their dates.

    Raises:
        ValueError: it has other columns, or a row that is not whole.
    """
    with open(path, encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    if tuple(header) != ("date", *COLUMNS):
        raise ValueError(f"{path} must have the columns date, {', '.join(COLUMNS)}.")
    try:
        return np.array([row[1:] for row in rows], np.float64).astype(np.float32)
    except ValueError as error:
        raise ValueError(f"{path} has a row that is not seven numbers: {error}") from error


def _cut(series: np.ndarray, ends: Sequence[int], look_back: int, horizon: int) -> Windows:
    return windows.cut(series, ends, look_back, horizon, names=COLUMNS, source=SOURCE)
