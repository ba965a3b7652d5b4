"""Raw rows of tables: every form that a person has, and what is wrong with one."""

import numpy as np
import pytest

from keras_attention.layers import CategoricalColumns, NumericColumns

pytestmark = pytest.mark.runs_on("torch")

EXPECTED = np.array([[1, 2], [3, 4]], "float32")


class Frame:
    """A mapping as far as a frame of pandas is one: it has keys, and a column for each."""

    def __init__(self, columns):
        self._columns = columns

    def keys(self):
        return list(self._columns)

    def __iter__(self):
        return iter(self._columns)

    def __getitem__(self, name):
        return np.array(self._columns[name])


@pytest.mark.parametrize(
    "rows",
    [
        Frame({"b": [2, 4], "a": [1, 3], "c": ["x", "y"]}),
        {"a": np.array([1, 3]), "b": ("2", "4")},
        np.array(["1,2", "3,4"]),
        np.array([["1", "2"], ["3", "4"]]),
        np.array([[1, 2], [3, 4]], object),
        np.array([[1, 2], [3, 4]]),
        iter([(1, 2), [3, 4]]),
        ({"a": 1, "b": 2}, {"a": 3, "b": 4}),
    ],
    ids=["frame", "columns", "lines", "strings", "objects", "integers", "iterator", "mappings"],
)
def test_every_kind_of_batch_is_one(rows):
    np.testing.assert_array_equal(NumericColumns(["a", "b"], 4).encode(rows), EXPECTED)


def test_nothing_is_a_batch_too():
    assert NumericColumns(["a", "b"], 4).encode([]).shape == (0, 2)
    assert CategoricalColumns(["a"], [["x"]], 4).encode({"a": []}).shape == (0, 1)


@pytest.mark.parametrize(
    ("rows", "error", "message"),
    [
        ("1,2", TypeError, r"`rows` must be a list of rows\. Received: the text '1,2'"),
        ({"a": 1.0, "b": 2.0}, TypeError, "The column 'a' must be a list of values"),
        ({"a": "12", "b": "34"}, TypeError, "The column 'a' must be a list .* '12'"),
        ({"a": [1, 2], "b": [1]}, ValueError, r"as many rows\. Received: 'a 2, b 1'"),
        ([1.0, 2.0], TypeError, r"A row must be a mapping .* Received: 1\.0 as row 0"),
        (["1," + "x" * 140_000], ValueError, "Row 0 cannot be read as CSV: field larger than"),
        ([["1", "two"]], ValueError, "must have numbers. Received: 'two' in row 0"),
    ],
)
def test_what_is_wrong_is_said(rows, error, message):
    with pytest.raises(error, match=message):
        NumericColumns(["a", "b"], 4).encode(rows)
