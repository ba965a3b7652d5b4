"""Heads and their weights; and what is said where matplotlib is not installed."""

import sys

import numpy as np
import pytest
from keras import ops

from keras_attention.explain import plots

pytestmark = pytest.mark.runs_on("torch")

FEATURES = ("sepal length", "sepal width", "petal length", "petal width")


def weights(*shape):
    raw = np.random.default_rng(0).uniform(size=shape).astype("float32")
    return raw / raw.sum(axis=-1, keepdims=True)


def heatmaps(figure):
    return [ax for ax in figure.axes if ax.images]


def names(axis):
    return tuple(label.get_text() for label in axis.get_ticklabels())


def test_attention_heads_is_a_labelled_grid_of_layers_and_heads():
    maps = {f"block_{i}/attention": weights(5, 3, 4, 4) for i in range(2)}
    figure = plots.attention_heads(maps, FEATURES, title="Mean over 5 flowers")
    grid = heatmaps(figure)
    assert len(grid) == 2 * 3
    assert grid[0].get_title() == "block_0/attention, head 1"
    assert names(grid[0].yaxis) == FEATURES
    assert names(grid[-1].xaxis) == FEATURES
    assert figure.get_suptitle() == "Mean over 5 flowers"


def test_attention_heads_draws_the_mean_over_the_batch_on_one_scale():
    maps = {"a": ops.convert_to_tensor(weights(5, 2, 4, 4)), "b": 0.5 * weights(2, 4, 4)}
    grid = heatmaps(plots.attention_heads(maps, FEATURES))
    np.testing.assert_allclose(grid[0].images[0].get_array(), weights(5, 2, 4, 4).mean(0)[0])
    assert len({ax.images[0].get_clim() for ax in grid}) == 1
    written = [text.get_text() for text in grid[2].texts]
    assert written == [f"{value:.2f}" for value in maps["b"][0].ravel()]


def test_large_maps_have_no_numbers_and_as_many_names_as_can_be_read():
    figure = plots.attention_heads({"a": weights(1, 64, 64)}, [f"token {i}" for i in range(64)])
    (ax,) = heatmaps(figure)
    assert not ax.texts
    assert names(ax.xaxis) == names(ax.yaxis) == tuple(f"token {i}" for i in range(0, 64, 2))
    assert "Of the 64 rows every second is named, 32 are not." in " ".join(
        figure.get_supxlabel().split()
    )
    assert "Of the 64 columns every second is named, 32 are not." in " ".join(
        figure.get_supxlabel().split()
    )


def test_cross_attention_names_keys_apart():
    figure = plots.attention_heads({"a": weights(1, 2, 3)}, ["x", "y"], key_labels=["u", "v", "w"])
    (ax,) = heatmaps(figure)
    assert names(ax.yaxis) == ("x", "y")
    assert names(ax.xaxis) == ("u", "v", "w")


@pytest.mark.parametrize(
    ("maps", "labels", "message"),
    [
        ({}, (), "no attention maps"),
        ({"a": weights(4, 4)}, (), r"\(B, N, T, S\)"),
        ({"a": weights(1, 4, 4)}, FEATURES[:3], "must name the 4 positions of 'a'.*3 names"),
    ],
)
def test_attention_heads_explains_what_it_cannot_draw(maps, labels, message):
    with pytest.raises(ValueError, match=message):
        plots.attention_heads(maps, labels)


def test_without_matplotlib_the_error_says_what_to_install(monkeypatch):
    monkeypatch.delitem(sys.modules, "keras_attention.explain.plots.literal_figure", raising=False)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r'pip install "keras-attention\[plots\]"'):
        plots.attention_heads({"a": weights(1, 2, 2)})
