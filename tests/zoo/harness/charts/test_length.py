import numpy as np
import pytest

from zoo.harness import charts

pytestmark = pytest.mark.runs_on("torch")


def test_a_panel_for_each_quantity_and_a_line_for_each_model():
    panels = {
        "accuracy": {"LSTM": {8: 0.5, 4: 1.0}, "transformer": {4: 1.0, 8: 0.9}},
        "ms per step": {"LSTM": {16: 3.0}},
    }
    first, second = charts.by_length(panels, title="Test", length="pairs").axes
    assert [line.get_label() for line in first.lines] == ["LSTM", "transformer"]
    np.testing.assert_array_equal(first.lines[0].get_xdata(), [4, 8])
    np.testing.assert_array_equal(first.lines[0].get_ydata(), [1.0, 0.5])
    assert (second.get_xlabel(), second.get_ylabel()) == ("pairs", "ms per step")


@pytest.mark.parametrize("panels", [{}, {"accuracy": {}}])
def test_nothing_to_draw_is_named(panels):
    with pytest.raises(ValueError, match="Each panel must have a line"):
        charts.by_length(panels)
