import numpy as np
import pytest

from zoo.harness import charts

pytestmark = pytest.mark.runs_on("torch")


def test_scores_are_f1_with_the_most_frequent_mistake():
    labels = np.array([0, 0, 0, 1, 1])
    predictions = np.array([0, 0, 1, 1, 1])
    figure = charts.tag_scores(labels, predictions, ["x", "y", "absent"], title="Words")
    (ax,) = figure.axes
    names = [label.get_text() for label in ax.get_yticklabels()]
    widths = [bar.get_width() for bar in ax.patches]
    assert dict(zip(names, widths, strict=True)) == pytest.approx({"x": 0.8, "y": 0.8})
    texts = {text.get_text() for text in ax.texts}
    assert texts == {"2 of 3, 1 as y", "2 of 2"}
    assert figure.get_suptitle() == "Words"
