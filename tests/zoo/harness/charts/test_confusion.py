import numpy as np
import pytest

from zoo.harness import charts

pytestmark = pytest.mark.runs_on("torch")


def names(axis):
    return tuple(label.get_text() for label in axis.get_ticklabels())


def test_confusion_matrix_counts_true_by_predicted():
    figure = charts.confusion_matrix([0, 0, 1, 2], [0, 1, 1, 1], ["a", "b", "c"])
    ax, _ = figure.axes
    np.testing.assert_array_equal(ax.images[0].get_array(), [[1, 1, 0], [0, 1, 0], [0, 1, 0]])
    assert names(ax.xaxis) == names(ax.yaxis) == ("a", "b", "c")


@pytest.mark.parametrize("count", [41, 100, 1000])
def test_of_many_names_as_many_are_drawn_as_can_be_read(count):
    names = [f"class {i}" for i in range(count)]
    (ax, _) = charts.confusion_matrix([0], [0], names).axes
    for axis in (ax.xaxis, ax.yaxis):
        shown = {
            int(tick): label.get_text()
            for tick, label in zip(axis.get_ticklocs(), axis.get_ticklabels(), strict=True)
        }
        assert 20 <= len(shown) <= 40
        assert shown == {i: names[i] for i in shown}


def test_pairs_are_ordered_by_how_often_they_are_confused():
    figure = charts.confused_pairs(
        [0, 0, 0, 1, 2, 2], [1, 1, 0, 1, 0, 2], ["a", "b", "c"], title="Requests"
    )
    (ax,) = figure.axes
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a \u2192 b", "c \u2192 a"]
    assert [bar.get_width() for bar in ax.patches] == [2, 1]
    assert [text.get_text() for text in ax.texts] == ["2 of 3", "1 of 2"]
    assert figure.get_suptitle() == "Requests"


def test_no_mistakes_are_no_pairs():
    (ax,) = charts.confused_pairs([0, 1], [0, 1], ["a", "b"]).axes
    assert not ax.patches
