import numpy as np
import pytest

from zoo.harness import charts

pytestmark = pytest.mark.runs_on("torch")


def test_predictions_stand_against_the_truth():
    figure = charts.predictions([[1.0], [2.0]], [1.5, 2.5], title="Test", unit="USD")
    (ax,) = figure.axes
    np.testing.assert_array_equal(ax.collections[0].get_offsets(), [[1, 1.5], [2, 2.5]])
    assert ax.get_xlabel() == "true (USD)"


def test_residuals_are_predicted_less_true():
    figure = charts.residuals([1.0, 2.0, 2.0], [[1.5], [1.0], [1.0]], title="Test", unit="USD")
    left, right = figure.axes
    np.testing.assert_array_equal(left.collections[0].get_offsets(), [[1.5, 0.5], [1, -1], [1, -1]])
    counts = [bar.get_width() for bar in right.patches]
    assert (counts[0], counts[-1], sum(counts)) == (2, 1, 3)
