"""Series of a table: rows in the order of their times, evenly spaced, without gaps."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.readers.findings import Findings, name_some
from zoo.readers.tables import Table, choose_column, read_table, read_texts

if TYPE_CHECKING:
    from pandas import DataFrame

TIMES = ("date", "time", "datetime", "timestamp", "ds")
MISSING = ("", "na", "n/a", "nan", "null", "none", "-", "?")  # what stands where a number is not
_UNITS = {"minutes": 60, "hours": 3600, "days": 86_400, "weeks": 604_800}
_CALENDAR = {
    "months": (28, 31),
    "quarters": (90, 92),
    "years": (365, 366),
}  # in days


@dataclass(frozen=True)
class Series:
    """Series that are read.

    Attributes:
        values: `(T, C)` float32, without gaps.
        names: of the C columns.
        filled: `(T, C)` whether a value was missing and is made up.
        times: of each row as text; its number where the table has no times.
        step: what a row is called, such as `"hours"`.
    """

    values: np.ndarray
    names: tuple[str, ...]
    filled: np.ndarray
    times: Sequence[str]
    step: str


def read_series(
    data: Table, *, target: Sequence[str], time: str | None, findings: Findings
) -> Series:
    """Returns series of a table.

    Rows are put into the order of their times. Times that are left out become rows, and what is
    missing is a line between its neighbours; `findings` says how much that is.

    Args:
        data: what `read_table` takes.
        target: the columns; all columns of numbers if there are none.
        time: the column of the times; the first with a usual name or with times if `None`.
        findings: what is found is added to them.

    Raises:
        ValueError: a column is missing, has no numbers, or more gaps than numbers; a time cannot be
            read, or is there twice.
    """
    frame = read_table(data)
    column = _find_time(frame, time, target)
    names = tuple(
        choose_column(frame, name, argument="target") for name in target or _find_numbers(frame)
    )
    names = tuple(name for name in names if name != column)
    if not names:
        raise ValueError(
            f"No column has numbers, and there is nothing to forecast. "
            f"Columns: {name_some(frame.columns)}"
        )
    values = np.stack([_read_numbers(frame, name) for name in names], axis=1)
    findings.add(f"Data: {len(values):,} rows")
    if column is None:
        findings.warn("No column has times: rows are taken as they follow each other.")
        times, step = np.arange(1, len(values) + 1), "rows"
        places = np.arange(len(values))
    else:
        times, values = _sort(_read_times(frame, column), values, column, findings)
        places, step = _find_places(times, column, findings)
    size = int(places[-1]) + 1
    rows = np.full((size, len(names)), np.nan)
    rows[places] = values
    written = np.full(size, "", object)
    written[places] = [str(each) for each in times]
    return Series(
        values=_fill(rows, names, findings),
        names=names,
        filled=np.isnan(rows),
        times=written.tolist(),
        step=step,
    )


def find_period(values: np.ndarray) -> int | None:
    """Returns after how many rows series repeat themselves, by their autocorrelation.

    That of the differences from row to row, so that a trend is none, as a mean over the series. It
    is the first peak, after the autocorrelation was below 0, that is nearly as high as the highest.
    As differences are noisy, its place is then that of the peak without them: of the series less
    their moving average over such a period.

    Args:
        values: `(T, C)`.

    Returns:
        At least 3 and at most a third of the rows; `None` if no peak stands out.
    """
    differences = np.diff(values.astype(np.float64), axis=0)
    count = len(differences)
    if count < 12 or not np.ptp(differences, axis=0).any():
        return None
    correlation = _correlate(differences, count // 3 + 2)
    negative = np.flatnonzero(correlation[2:] < 0)
    if not len(negative):
        return None
    lags = np.arange(max(3, 2 + int(negative[0])), len(correlation) - 1)
    peaks = lags[
        (correlation[lags] >= correlation[lags - 1]) & (correlation[lags] > correlation[lags + 1])
    ]
    peaks = peaks[correlation[peaks] > max(0.1, 5 / count**0.5)]
    if not len(peaks):
        return None
    period = int(peaks[correlation[peaks] >= 0.9 * correlation[peaks].max()][0])
    averages = np.lib.stride_tricks.sliding_window_view(values, period, axis=0).mean(axis=-1)
    first, room = period // 2, max(1, period // 10)
    level = values[first : first + len(averages)] - averages
    near = np.arange(max(3, period - room), period + room + 1)
    return int(near[_correlate(level, near[-1] + 1)[near].argmax()])


def _correlate(values: np.ndarray, lags: int) -> np.ndarray:
    """Returns the mean autocorrelation of series at so many lags, those that change nothing left
    out; each lag by as many rows as it has."""
    values = values.astype(np.float64) - values.mean(axis=0)
    values = values[:, values.any(axis=0)]
    count = len(values)
    spectrum = np.abs(np.fft.rfft(values, 2 * count, axis=0)) ** 2
    correlation = np.fft.irfft(spectrum, axis=0)[:lags]
    pairs = count - np.arange(lags)
    return (correlation / correlation[0]).mean(axis=1) * count / pairs


def _find_time(frame: "DataFrame", name: str | None, target: Sequence[str]) -> str | None:
    """Returns the column of the times, if there is one."""
    if name is not None:
        return choose_column(frame, name, argument="time")
    others = [column for column in frame.columns if column not in target]
    by_lower = {column.lower(): column for column in reversed(others)}
    for usual in TIMES:
        if usual in by_lower:
            return by_lower[usual]
    for column in others:
        if _is_numeric(frame[column]):
            continue
        if frame[column].dtype.kind == "M" or not _parse(frame[column].head(50)).isna().any():
            return column
    return None


def _find_numbers(frame: "DataFrame") -> list[str]:
    return [column for column in frame.columns if _is_numeric(frame[column])]


def _is_numeric(values: Any) -> bool:
    """Whether most values that are there are numbers."""
    import pandas

    if values.dtype.kind in "iuf":
        return True
    if values.dtype.kind in "bM":
        return False
    there = values[~values.astype(str).str.strip().str.lower().isin(MISSING)].head(1000)
    return len(there) > 0 and pandas.to_numeric(there, errors="coerce").notna().mean() > 0.5


def _read_numbers(frame: "DataFrame", name: str) -> np.ndarray:
    """Returns the numbers of a column, NaN where one is missing.

    Raises:
        ValueError: a value is no number, or there are fewer numbers than gaps.
    """
    import pandas

    texts = [text.strip() for text in read_texts(frame, name)]
    numbers = np.array(pandas.to_numeric(pandas.Series(texts), errors="coerce"), np.float64)
    numbers[~np.isfinite(numbers)] = np.nan
    missing = np.array([text.lower() in MISSING for text in texts])
    wrong = np.flatnonzero(np.isnan(numbers) & ~missing)
    if len(wrong):
        text = texts[wrong[0]]
        hint = " Write decimal points, not commas." if text.replace(",", "").isdigit() else ""
        raise ValueError(
            f"The column {name!r} must have numbers: {len(wrong):,} of {len(texts):,} values are "
            f"none, such as {text!r} in row {wrong[0] + 1:,}.{hint} "
            "Columns: " + name_some(frame.columns)
        )
    if missing.sum() * 2 > len(texts):
        raise ValueError(
            f"The column {name!r} has no number in {missing.sum():,} of {len(texts):,} rows: too "
            "few to learn from. Leave the column out, or take the part where it has them."
        )
    return numbers


def _parse(values: Any) -> Any:
    """Returns the times of a column, `NaT` where there is none."""
    import warnings

    import pandas

    if values.dtype.kind in "iuf":  # years
        values = values.astype("Int64").astype(str)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a format is guessed, row by row
        for settings in ({}, {"dayfirst": True}, {"format": "mixed"}):
            times = pandas.to_datetime(values, errors="coerce", utc=True, **settings)
            if not times.isna().any():
                break
    return times.dt.tz_localize(None)


def _read_times(frame: "DataFrame", column: str) -> Any:
    times = _parse(frame[column])
    wrong = np.flatnonzero(times.isna())
    if len(wrong):
        raise ValueError(
            f"{len(wrong):,} of {len(times):,} times of the column {column!r} cannot be read, such "
            f"as {frame[column].iloc[wrong[0]]!r} in row {wrong[0] + 1:,}. Write them as "
            "2024-12-31 23:00, or name another column as `time`."
        )
    return times


def _sort(
    times: Any, values: np.ndarray, column: str, findings: Findings
) -> tuple[Any, np.ndarray]:
    """Returns times in ascending order and their rows, each once.

    Raises:
        ValueError: a time has two rows that differ.
    """
    if not times.is_monotonic_increasing:
        findings.warn(f"The rows are not in the order of {column!r}: they are sorted.")
    order = np.argsort(times.to_numpy(), kind="stable")
    times, values = times.iloc[order].reset_index(drop=True), values[order]
    again = times.duplicated().to_numpy()
    if again.any():
        same = ~np.any((values[1:] != values[:-1]) & ~np.isnan(values[1:]), axis=1)
        if not same[again[1:]].all():
            row = int(np.flatnonzero(again)[0])
            raise ValueError(
                f"The time {times[row]} of the column {column!r} has two rows that differ. Where a "
                "table has several series below each other, put each into a column of its own: "
                "frame.pivot(index=TIME, columns=NAME, values=VALUE)."
            )
        findings.warn(f"{again.sum():,} rows are left out: they repeat another one.")
        times, values = times[~again].reset_index(drop=True), values[~again]
    return times, values


def _find_places(times: Any, column: str, findings: Findings) -> tuple[np.ndarray, str]:
    """Returns the row at which each time stands among evenly spaced ones, and what a row is called.

    Raises:
        ValueError: more times are left out than there are.
    """
    seconds = (times - times[0]).dt.total_seconds().to_numpy()
    steps = np.diff(seconds)
    if not len(steps):
        return np.arange(len(times)), "rows"
    sizes, counts = np.unique(steps, return_counts=True)
    step = sizes[counts.argmax()]
    days = sizes / _UNITS["days"]
    calendar = [u for u, (a, b) in _CALENDAR.items() if days[0] >= a and days[-1] <= b]
    units = [*calendar, *(unit for unit, size in _UNITS.items() if size == step)]
    name = units[0] if units else f"steps of {step:g} s"
    findings.add(f"Time: {column!r}, {times[0]} to {times.iloc[-1]}, in {name}")
    if calendar:
        return np.arange(len(times)), name
    ratio = steps / step
    if not np.allclose(ratio, np.round(ratio), atol=1e-3):
        findings.warn(
            f"The times are not evenly spaced ({sizes[0]:g} to {sizes[-1]:g} seconds): rows are "
            "taken as they follow each other."
        )
        return np.arange(len(times)), "rows"
    places = np.concatenate([[0], np.cumsum(np.round(ratio))]).astype(np.int64)
    left_out = int(places[-1]) + 1 - len(places)
    if left_out > len(places):
        row = int(steps.argmax())
        raise ValueError(
            f"{left_out:,} times of {column!r} are left out, more than the {len(places):,} that "
            f"are there; the longest gap is from {times[row]} to {times[row + 1]}. Take the part "
            "without gaps, or sum up rows to longer steps."
        )
    if left_out:
        findings.warn(
            f"{left_out:,} times are left out between the first and the last; the longest gap is "
            f"{int(ratio.max()) - 1:,} {name}."
        )
    return places, name


def _fill(rows: np.ndarray, names: Sequence[str], findings: Findings) -> np.ndarray:
    """Returns rows whose gaps are lines between what stands around them."""
    missing = np.isnan(rows)
    for i, name in enumerate(names):
        if missing[:, i].any():
            known = np.flatnonzero(~missing[:, i])
            rows_of = np.interp(np.arange(len(rows)), known, rows[known, i])
            findings.warn(
                f"{missing[:, i].sum():,} of {len(rows):,} values of {name!r} are missing: a line "
                "between their neighbours stands for them."
            )
            rows = np.column_stack([rows[:, :i], rows_of, rows[:, i + 1 :]])
    return rows.astype(np.float32)
