import numpy as np
import pytest

from zoo.harness import charts

pytestmark = pytest.mark.runs_on("torch")

PAST, TRUTH = np.arange(15.0).reshape(5, 3), np.arange(12.0).reshape(4, 3)


def test_past_truth_and_forecasts_of_each_series():
    figure = charts.forecast(
        PAST, TRUTH, {"model": TRUTH + 1}, ["a", "b", "c"], title="Test", step="hours"
    )
    drawn = [ax for ax in figure.axes if ax.lines]
    assert [ax.get_ylabel() for ax in drawn] == ["a", "b", "c"]
    known, came, said = drawn[1].lines[:3]
    np.testing.assert_array_equal(known.get_xdata(), [-5, -4, -3, -2, -1])
    np.testing.assert_array_equal(came.get_ydata(), TRUTH[:, 1])
    np.testing.assert_array_equal(said.get_ydata(), TRUTH[:, 1] + 1)
    assert [text.get_text() for text in figure.legends[0].texts] == ["known", "truth", "model"]


@pytest.mark.parametrize(
    "wrong", [{"names": ["a"]}, {"past": PAST[:, :2]}, {"forecasts": {"m": TRUTH[:2]}}]
)
def test_what_does_not_fit_is_named(wrong):
    given = {"past": PAST, "truth": TRUTH, "forecasts": {}, "names": ["a", "b", "c"]}
    with pytest.raises(ValueError, match="Received: shape"):
        charts.forecast(**{**given, **wrong})


def test_error_by_step_counts_from_one():
    (ax,) = charts.error_by_step({"model": [0.1, 0.2], "last value": [0.2, 0.5]}).axes
    np.testing.assert_array_equal(ax.lines[0].get_xdata(), [1, 2])
    assert [line.get_label() for line in ax.lines] == ["model", "last value"]
