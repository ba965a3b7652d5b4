"""Series of tables made by hand: times, gaps, what is missing, and their period."""

import numpy as np
import pandas
import pytest

from zoo.readers.findings import Findings
from zoo.readers.series import find_period, read_series

pytestmark = pytest.mark.runs_on("torch")

HOURS = pandas.date_range("2024-01-01", periods=6, freq="h")


def read(table, target=(), time=None):
    findings = Findings()
    return read_series(table, target=target, time=time, findings=findings), str(findings)


def test_reads_times_and_columns(tmp_path):
    table = pandas.DataFrame({"when": HOURS, "load": np.arange(6.0), "city": "x", "temp": 2.5})
    table.to_csv(tmp_path / "load.csv", index=False)
    series, said = read(tmp_path / "load.csv")
    assert series.names == ("load", "temp")
    np.testing.assert_array_equal(series.values, table[["load", "temp"]])
    assert series.values.dtype == np.float32
    assert series.step == "hours"
    assert series.times[-1] == "2024-01-01 05:00:00"
    assert not series.filled.any()
    assert "Time: 'when', 2024-01-01 00:00:00 to 2024-01-01 05:00:00, in hours" in said
    assert read(table, ["temp"])[0].names == ("temp",)


@pytest.mark.parametrize(
    ("times", "step"),
    [
        (["31/12/2023", "01/01/2024", "02/01/2024"], "days"),
        (["2024-01", "2024-02", "2024-03"], "months"),
        (["2022", "2023", "2024"], "years"),
        (["2024-01-01 00:00:00", "2024-01-01 00:00:05", "2024-01-01 00:00:10"], "steps of 5 s"),
    ],
)
def test_steps_have_a_name(times, step):
    series, _ = read({"time": times, "x": ["1", "2", "3"]})
    assert series.step == step
    np.testing.assert_array_equal(series.values[:, 0], [1, 2, 3])


def test_rows_are_sorted_and_gaps_are_lines():
    table = pandas.DataFrame({"date": HOURS, "x": [0.0, 1, np.nan, 3, 4, 5]})
    table = table.drop(index=4).sample(frac=1, random_state=0)
    series, said = read(table)
    np.testing.assert_allclose(series.values[:, 0], np.arange(6))
    np.testing.assert_array_equal(series.filled[:, 0], [0, 0, 1, 0, 1, 0])
    assert "they are sorted" in said
    assert "1 times are left out" in said
    assert "2 of 6 values of 'x' are missing" in said


def test_repeated_rows_are_left_out_and_other_ones_refused():
    table = pandas.DataFrame({"date": HOURS, "x": range(6)})
    series, said = read(pandas.concat([table, table.head(2)]))
    assert len(series.values) == 6
    assert "2 rows are left out: they repeat another one" in said
    shops = pandas.concat([table, table.assign(x=9)])
    with pytest.raises(ValueError, match=r"00:00:00 of the column 'date' has two rows.*pivot"):
        read(shops)


def test_rows_without_times_follow_each_other():
    series, said = read({"x": [3, 1, 2]})
    np.testing.assert_array_equal(series.values[:, 0], [3, 1, 2])
    assert "No column has times" in said
    series, said = read({"date": ["2024-01-01", "2024-01-03", "2024-01-04 11:00"], "x": [1, 2, 3]})
    assert "not evenly spaced" in said
    assert series.step == "rows"


@pytest.mark.parametrize(
    ("table", "target", "message"),
    [
        ({"date": HOURS, "x": range(6)}, ["y"], "no column 'y' for `target`.*Columns: date, x"),
        (
            {"date": HOURS, "x": list("abcdef")},
            ["x"],
            "6 of 6 values are none, such as 'a'",
        ),
        ({"date": HOURS, "x": ["1,5"] * 6}, ["x"], "Write decimal points, not commas"),
        ({"date": HOURS, "x": ["", "-", "NA", "nan", "1", "2"]}, ["x"], "no number in 4 of 6 rows"),
        ({"date": HOURS, "x": list("abcdef")}, [], "No column has numbers"),
        (
            {"date": ["2024-01-01", "soon"], "x": [1, 2]},
            [],
            "cannot be read, such as 'soon'",
        ),
        (
            {"date": ["2020-01-01", "2020-01-02", "2020-01-03", "2024-01-01"], "x": range(4)},
            [],
            "more than the 4 that are there; the longest gap is from 2020-01-03",
        ),
    ],
)
def test_bad_tables_get_a_sentence(table, target, message):
    with pytest.raises(ValueError, match=message):
        read(table, target)


@pytest.mark.parametrize("period", [4, 7, 12, 24, 50])
def test_the_period_is_that_of_a_wave_with_noise_and_a_trend(period):
    rng = np.random.default_rng(period)
    rows = np.arange(40 * period)
    wave = np.sin(2 * np.pi * rows / period) + 0.5 * np.cos(4 * np.pi * rows / period)
    x = wave + 0.1 * rng.normal(size=len(rows)) + 0.01 * rows
    assert find_period(x[:, None]) == period


def test_the_period_of_days_and_weeks():
    hours = np.arange(24 * 7 * 8)
    day = np.sin(2 * np.pi * hours / 24)
    assert find_period((day * (hours // 24 % 7 < 5))[:, None]) == 24 * 7
    assert find_period((day * (1 + 0.2 * (hours // 24 % 7 < 5)))[:, None]) == 24


@pytest.mark.parametrize("seed", range(5))
def test_noise_and_walks_have_no_period(seed):
    noise = np.random.default_rng(seed).normal(size=(1000, 1))
    assert find_period(noise) is None
    assert find_period(noise.cumsum(axis=0)) is None
    assert find_period(np.ones((100, 1))) is None
