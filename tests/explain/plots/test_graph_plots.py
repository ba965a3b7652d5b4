import numpy as np
import pytest

from keras_attention.explain import plots

pytestmark = pytest.mark.runs_on("torch")

# 1, 2 and 3 lead to 0, which leads to 1; the rest is padding.
EDGES = np.array([[1, 0], [2, 0], [3, 0], [0, 1], [-1, -1]])
WEIGHTS = np.array([[0.1, 0.4, 0.2, 0.5, 0.0], [0.3, 0.2, 0.2, 0.5, 0.0]])
CLASSES = ("a", "b", "c")


def test_lines_are_as_wide_as_the_attention():
    figure = plots.node_attention(EDGES, WEIGHTS, 0, [0, 1, 1, 0], CLASSES, title="Node 0")
    (ax,) = figure.axes
    assert [text.get_text() for text in ax.texts] == ["0.30", "0.20", "0.20", "0.30"]  # own: last
    widths = [line.get_linewidth() for line in ax.lines]
    np.testing.assert_allclose(np.divide(widths, widths[0]), [1, 2 / 3, 2 / 3], rtol=1e-5)
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["a", "b"]
    assert figure.get_suptitle() == "Node 0"


def test_a_node_without_neighbours_is_named():
    with pytest.raises(ValueError, match="Received: node=2"):
        plots.node_attention(EDGES, WEIGHTS, 2, [0, 1, 1, 0], CLASSES)
