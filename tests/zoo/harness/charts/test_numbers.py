import numpy as np
import pytest

from zoo.harness import charts

pytestmark = pytest.mark.runs_on("torch")


def test_predictions_stand_against_the_truth():
    figure = charts.predictions([[1.0], [2.0]], [1.5, 2.5], title="Test", unit="USD")
    (ax,) = figure.axes
    np.testing.assert_array_equal(ax.collections[0].get_offsets(), [[1, 1.5], [2, 2.5]])
    assert ax.get_xlabel() == "true (USD)"
