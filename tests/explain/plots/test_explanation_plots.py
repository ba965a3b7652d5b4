"""Explanations drawn on texts, images, recordings and graphs; and heads in two numbers."""

import numpy as np
import pytest

from keras_attention.explain import plots
from keras_attention.explain.attribution.elements import Frames, ImagePatches, Nodes, Tokens
from keras_attention.explain.attribution.explanation import Explanation

pytestmark = pytest.mark.runs_on("torch")


def explain(elements, scores, position=None):
    scores = np.asarray(scores, float)
    return Explanation("relevance", scores, elements, np.zeros(len(scores), int), position)


def colours(figure):
    return [patch.get_facecolor() for patch in figure.axes[0].patches]


def test_tokens_are_blue_for_and_red_against(tmp_path):
    ids = np.array([[4, 5, 6], [7, 8, 0]])
    elements = Tokens(ids, None, ids != 0, [["<b>", "$x$", "c"], ["d", "e"]])
    figure = explain(elements, [[2, -1, 0], [0.1, 0.2, 0]]).figure(["first", "second"], title="Why")
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts == ["first", "<b>", "$x$", "c", "second", "d", "e"]
    against = [red - blue for red, _, blue, _ in colours(figure)]
    assert against[0] < -0.2
    assert against[1] > 0.1
    assert abs(against[2]) < 0.02
    np.testing.assert_allclose(colours(figure)[4], colours(figure)[0])  # the largest of each text
    figure.savefig(tmp_path / "text.png")


def test_scores_of_patches_lie_on_the_image(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (2, 8, 12, 3)).astype("float32")
    edges = np.array([0, 5, 8]), np.array([0, 3, 7, 12])
    elements = ImagePatches(images, None, np.ones((2, 6), bool), grid=(2, 3), edges=edges)
    scores = np.array([[0, 1, 2, 3, 4, 8], [1, 0, 0, 0, 0, -2]], float)
    figure = explain(elements, scores).figure()
    overlays = [ax.images[1] for ax in figure.axes if len(ax.images) == 2]
    for overlay, row, largest in zip(overlays, scores, (8, 2), strict=True):
        shares = row.reshape(2, 3).repeat([5, 3], axis=0).repeat([3, 4, 5], axis=1) / largest
        np.testing.assert_allclose(overlay.get_array(), shares)
    ticks = figure.axes[-1].get_yticklabels()
    assert [text.get_text() for text in ticks] == ["against", "0", "for"]
    figure.savefig(tmp_path / "image.png")


def test_an_image_and_its_text_stand_in_a_column(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3)).astype("float32")
    edges = np.array([0, 5, 8]), np.array([0, 2, 8])
    patches = ImagePatches(images, None, np.ones((2, 4), bool), grid=(2, 2), edges=edges)
    ids = np.array([[4, 5, 6], [7, 0, 0]])
    labels = [["what", "color", "?"], ["it", "", ""]]
    image = explain(patches, [[0, 1, 2, 4], [1, 0, 0, 0]])
    text = explain(Tokens(ids, None, ids != 0, labels), [[1, 2, 0], [3, 0, 0]])
    figure = plots.image_and_text(image, text, ["red", "no"])
    overlays = [ax.images[1].get_array() for ax in figure.axes if len(ax.images) == 2]
    for overlay, shares in zip(overlays, ([[0, 0.25], [0.5, 1]], [[1, 0], [0, 0]]), strict=True):
        at_pixels = np.repeat(np.repeat(shares, [5, 3], axis=0), [2, 6], axis=1)
        np.testing.assert_allclose(overlay, at_pixels)
    written = [[t.get_text() for t in ax.texts] for ax in figure.axes if ax.texts]
    assert written == [["what", "color", "?"], ["it"]]
    assert [ax.get_title() for ax in figure.axes if ax.get_title()] == ["red", "no"]
    shades = [ax.patches for ax in figure.axes if ax.texts]
    np.testing.assert_allclose(shades[0][1].get_facecolor(), shades[1][0].get_facecolor())
    figure.savefig(tmp_path / "both.png")
    with pytest.raises(ValueError, match="patches and `text` of tokens"):
        plots.image_and_text(text, image)
    with pytest.raises(ValueError, match=r"same inputs\. Received: 2, 2 and 1"):
        plots.image_and_text(image, text, ["red"])


def test_scores_of_frames_lie_under_the_wave(tmp_path):
    wave = np.full((2, 80), np.nan, np.float32)
    wave[0], wave[1, :40] = np.sin(np.arange(80)), np.sin(np.arange(40))
    present = np.array([[True] * 4, [True, True, False, False]])
    seconds = [[f"{i * 0.02:.2f} s" for i in range(4)]] * 2
    elements = Frames(wave, None, present, seconds, hop=20)
    figure = explain(elements, [[0, 1, 2, 4], [1, 3, 0, 0]]).figure(["a", "b"])
    first, second = (ax for ax in figure.axes if ax.lines)
    np.testing.assert_allclose(first.images[0].get_array(), [[0, 0.25, 0.5, 1]])
    np.testing.assert_allclose(second.images[0].get_array(), [[1 / 3, 1]])
    assert first.get_xlim() == pytest.approx((0, 0.08))
    assert second.get_xlim() == pytest.approx((0, 0.04))
    assert len(second.lines[0].get_xdata()) == 40
    figure.savefig(tmp_path / "audio.png")


def test_a_node_stands_among_those_that_count(tmp_path):
    inputs = {
        "features": np.zeros((1, 40, 2), np.float32),
        "edges": np.array([[[1, 0], [2, 0], [3, 2], [5, 6], [-1, -1]]]),
    }
    elements = Nodes(inputs, "features", np.ones((1, 40), bool))
    scores = np.zeros((1, 40))
    scores[0, [0, 1, 2, 3]] = [1, 0.5, 0.25, 0.1]
    figure = explain(elements, scores, np.array([0])).figure()
    ax = figure.axes[0]
    assert [text.get_text() for text in ax.texts] == ["1", "2", "3", "0"]
    assert len(ax.lines) == 3  # no edge of nodes that do not count
    figure.savefig(tmp_path / "graph.png")
    scores[0] = np.arange(40, 0, -1)
    figure = explain(elements, scores, np.array([0])).figure()
    assert figure.axes[0].get_title() == " (15 more nodes)"


def test_titles_must_fit():
    ids = np.array([[4, 5]])
    with pytest.raises(ValueError, match=r"`titles` must have 1 lines\. Received: 2"):
        explain(Tokens(ids, None, ids != 0, [["a", "b"]]), [[1, 2]]).figure(["x", "y"])


def test_heads_in_two_numbers(tmp_path):
    eye, alike = np.eye(4), np.full((4, 4), 0.25)
    maps = {"a": np.stack([eye, alike])[None], "pooling": np.full((1, 1, 1, 4), 0.25)}
    figure = plots.head_overview(maps)
    spread, reach = (ax.images[0].get_array() for ax in figure.axes[:2])
    np.testing.assert_allclose(spread[0], [1, 4], atol=1e-6)
    np.testing.assert_allclose(reach[0], [0, np.abs(np.subtract.outer(range(4), range(4))).mean()])
    assert spread[1, 0] == pytest.approx(4)
    assert spread.mask[1, 1]  # no such head
    assert reach.mask[1, 0]  # no distance
    figure.savefig(tmp_path / "heads.png")


def test_padding_counts_for_no_head():
    weights = np.zeros((1, 1, 3, 3))
    weights[0, 0, 0] = [1, 0, 0]
    weights[0, 0, 1] = [0.5, 0.5, 0]
    weights[0, 0, 2] = [1 / 3] * 3  # of a padded query
    whole = plots.head_overview({"a": weights}).axes[0].images[0].get_array()
    valid = plots.head_overview({"a": weights}, mask=[[True, True, False]])
    assert whole[0, 0] == pytest.approx(2)
    assert valid.axes[0].images[0].get_array()[0, 0] == pytest.approx(1.5)
    with pytest.raises(ValueError, match="no attention maps"):
        plots.head_overview({})
