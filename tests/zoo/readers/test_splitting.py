"""Parts of data: shares of classes, rows alike, and a handful of rows."""

import numpy as np
import pytest

from zoo.readers.splitting import split_rows

pytestmark = pytest.mark.runs_on("torch")


def test_classes_have_their_share():
    labels = ["a"] * 100 + ["b"] * 50 + ["c"]
    parts = split_rows(range(151), labels, seed=0)
    assert sorted(np.concatenate(parts).tolist()) == list(range(151))
    counts = [[sum(labels[row] == name for row in part) for name in "abc"] for part in parts]
    assert counts == [[80, 40, 1], [10, 5, 0], [10, 5, 0]]
    for part, same, other in zip(
        parts, split_rows(range(151), labels, seed=0), split_rows(range(151), seed=1), strict=True
    ):
        assert part.tolist() == same.tolist() != other.tolist()


def test_rows_alike_stay_together():
    keys = [number % 40 for number in range(120)]
    parts = split_rows(keys, seed=0, parts=2)
    first, second = ({keys[row] for row in part} for part in parts)
    assert not first & second
    assert len(second) == 4


def test_a_class_of_a_contradiction_is_trained_on():
    """The only row of "z" says what ten others of the same text contradict."""
    for seed in range(20):
        keys = [number // 2 for number in range(40)]
        labels = ["a"] * 39 + ["z"]
        train = split_rows(keys, labels, seed=seed)[0]
        assert 39 in train


@pytest.mark.parametrize("labels", [None, ["a", "b", "c"], ["a", "a", "b"]])
def test_a_handful_of_rows(labels):
    assert [len(part) for part in split_rows("xyz", labels, seed=0)] == [1, 1, 1]
    with pytest.raises(ValueError, match="2 rows that differ cannot be split into 3 parts"):
        split_rows("xyx", labels, seed=0)
