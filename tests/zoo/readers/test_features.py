"""What a column of a table holds is told from its values."""

import numpy as np
import pandas
import pytest

from zoo.readers.features import list_categories, rows_as_keys, sort_columns
from zoo.readers.findings import Findings

pytestmark = pytest.mark.runs_on("torch")

ROWS = 40
COLUMNS = {
    "numbers": {
        "whole": [i % 7 for i in range(ROWS)],
        "holes": ["", "NA", "1.5e3", "-2"] * 10,
        "paid": [i * i for i in range(ROWS)],
        "some": [None, 1.0, 2.0, float("inf")] * 10,
    },
    "categories": {
        "zip": ["01067", "89073", "10115", "20095"] * 10,
        "truth": [True, False] * 20,
        "there": ["yes", ""] * 20,
        "almost": ["1", "2", "3", "4"] * 9 + ["1", "2", "3", "n.n."],
    },
    "dates": {
        "day": [f"2024-05-{1 + i % 28:02}" for i in range(ROWS)],
        "time": ["2024/05/01 12:30", "n/a"] * 20,
        "stamp": pandas.date_range("2020", periods=ROWS),
    },
    "left out": {
        "customer_id": [1000 + 7 * i for i in range(ROWS)],
        "rowID": [i * i for i in range(ROWS)],
        "number": range(5, 5 + ROWS),
        "name": [f"customer {i}" for i in range(ROWS)],
        "same": ["x"] * ROWS,
        "nothing": [""] * ROWS,
    },
}
FRAME = pandas.DataFrame({name: each for held in COLUMNS.values() for name, each in held.items()})


def test_columns_are_sorted():
    findings = Findings()
    features = sort_columns(FRAME.assign(y=1), target="y", findings=findings)
    for kind in ("numbers", "categories", "dates"):
        assert getattr(features, kind) == tuple(COLUMNS[kind]), kind
    for name in COLUMNS["left out"]:
        assert f"'{name}' (" in findings.facts[1]
    assert "'almost' is read as categories: some fields are no numbers, such as 'n.n.'" in str(
        findings
    )
    assert features.names == tuple(name for name in FRAME if name not in COLUMNS["left out"])


def test_columns_may_be_named():
    features = sort_columns(
        FRAME, target="day", ignore=["zip"], categories=["whole"], findings=Findings()
    )
    assert "whole" in features.categories
    assert {"zip", "day"}.isdisjoint(features.names)


def test_rows_are_raw_values():
    features = sort_columns(FRAME, target="zip", findings=Findings())
    rows = features.take(FRAME)
    np.testing.assert_array_equal(rows["holes"][:4], [np.nan, np.nan, 1500, -2])
    np.testing.assert_array_equal(rows["some"][:4], [np.nan, 1, 2, np.nan])
    assert rows["time"][:2].tolist() == ["2024/05/01 12:30", "n/a"]
    assert rows["truth"][:2].tolist() == ["True", "False"]
    twice = {name: np.concatenate([column, column]) for name, column in rows.items()}
    assert len(set(rows_as_keys(twice))) == len(set(rows_as_keys(rows)))


def test_rare_categories_are_unknown():
    few = {"c": np.array(["a", "b", "b", ""], object)}
    assert list_categories(few, ["c"]) == {"c": ["", "a", "b"]}
    many = {"c": np.array(["a"] + ["b"] * 1200, object)}
    assert list_categories(many, ["c"]) == {"c": ["b"]}


def test_two_columns_of_one_name_are_refused():
    frame = pandas.DataFrame([[1, 2, 3]], columns=["a", "a", "b"])
    with pytest.raises(ValueError, match=r"columns of the same name: a\. Rename them"):
        sort_columns(frame, target="b", findings=Findings())
