import numpy as np
import pytest

from zoo.harness import charts

pytestmark = pytest.mark.runs_on("torch")


def test_training_curves_name_both_splits():
    history = {"accuracy": [0.5, 0.9], "loss": [1.0, 0.2], "val_loss": [1.1, 0.3]}
    loss, accuracy = charts.training_curves(history, held_out="test").axes
    assert (loss.get_ylabel(), accuracy.get_ylabel()) == ("loss", "accuracy")
    assert [line.get_label() for line in loss.lines] == ["training", "test"]
    assert [line.get_label() for line in accuracy.lines] == ["training"]
    assert list(loss.lines[1].get_xdata()) == [1, 2]


def test_spread_curves_are_the_mean_and_the_range_of_each_kind():
    runs = [[1.0, 2.0, 4.0], [3.0, 2.0, 0.0, 9.0]]
    figure = charts.spread_curves({"a": runs, "b": [[5.0]]}, label="return")
    (ax,) = figure.axes
    np.testing.assert_allclose(ax.lines[0].get_xydata(), [[1, 2], [2, 2], [3, 2]])
    band = {tuple(point) for point in ax.collections[0].get_paths()[0].vertices}
    assert {(1, 1), (1, 3), (2, 2), (3, 0), (3, 4)} <= band
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["a (2 seeds)", "b (1 seed)"]
    with pytest.raises(ValueError, match="must have trainings of each kind"):
        charts.spread_curves({"a": []}, label="return")


def test_legends_have_what_begins_with_an_underscore():
    figure = charts.spread_curves({"_a": [[1.0]], "b": [[2.0]]}, label="return")
    entries = [text.get_text().strip("\u200b") for text in figure.axes[0].get_legend().get_texts()]
    assert entries == ["_a (1 seed)", "b (1 seed)"]
