"""Windows of series: what is known of a time, and what comes next."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zoo.data import Arrays, Source, Splits


@dataclass(frozen=True)
class Windows(Splits):
    """Parts of windows of series.

    Attributes:
        mean, std: of each series' rows to learn from, by which `y` is standardised.
    """

    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()


def cut(
    series: np.ndarray,
    ends: Sequence[int],
    look_back: int,
    horizon: int,
    *,
    names: tuple[str, ...] = (),
    source: Source | None = None,
    begins: Sequence[np.ndarray] | None = None,
) -> Windows:
    """Returns the windows of three parts of series, to train on, to choose by and to test on.

    The last two parts look back into the one before. Windows share the memory of the series where
    they are evenly spaced, so that long series with long windows fit into it.

    Args:
        series: `(T, C)` float32.
        ends: the rows before which the parts end.
        look_back: rows that a forecast is made from.
        horizon: rows that are forecast.
        names: of the C series.
        source: of the data.
        begins: of each part the rows at which forecasts begin; all there are if `None`.

    Returns:
        `x` `(B, look_back, C)` in the units of the series; `y` `(B, horizon, C)` float32
        standardised. A series that never changes has the scale 1.
    """
    learnt_from = series[: ends[0]].astype(np.float64)
    mean, std = learnt_from.mean(axis=0), learnt_from.std(axis=0)
    std = np.where(std > 0, std, 1.0)
    standardised = ((series - mean) / std).astype(np.float32)
    x, y = _view(series, look_back), _view(standardised, horizon)
    if begins is None:
        begins = [
            np.arange(start, stop - horizon + 1)
            for start, stop in zip([look_back, *ends[:-1]], ends, strict=True)
        ]

    def take(rows: np.ndarray) -> Arrays:
        return _rows(x, rows - look_back), _rows(y, rows)

    train, validation, test = map(take, begins)
    return Windows(
        train=train,
        validation=validation,
        test=test,
        feature_names=names,
        source=source,
        mean=tuple(map(float, mean)),
        std=tuple(map(float, std)),
    )


def _view(series: np.ndarray, length: int) -> np.ndarray:
    """Returns all windows `(B, length, C)` of series, in their memory."""
    return np.lib.stride_tricks.sliding_window_view(series, length, axis=0).transpose(0, 2, 1)


def _rows(windows: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Returns windows, in the same memory if they are evenly spaced."""
    steps = np.diff(rows)
    if len(rows) > 1 and (steps == steps[0]).all():
        return windows[rows[0] : rows[-1] + 1 : steps[0]]
    return windows[rows]
