import numpy as np
import pytest

from keras_attention.explain import plots

pytestmark = pytest.mark.runs_on("torch")


def words(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def test_tokens_are_as_dark_as_their_weight():
    figure = plots.shaded_tokens(
        [["who", "wrote", "$it$"], ["a"]],
        [np.array([0.1, 0.6, 0.3, 0.0]), np.array([1.0])],
        ["human", "entity"],
    )
    assert words(figure) == ["human", "who", "wrote", "$it$", "entity", "a"]
    boxes = figure.axes[0].patches
    assert len(boxes) == 4
    red = [box.get_facecolor()[0] for box in boxes]
    assert red[1] == pytest.approx(red[3])  # the heaviest of each text
    assert red[1] < red[2] < red[0]
    figure.canvas.draw()


def test_long_texts_go_on_in_the_next_line():
    figure = plots.shaded_tokens([["word"] * 60], [np.ones(60)])
    assert len({text.get_position()[1] for text in figure.axes[0].texts}) > 2
    assert max(text.get_position()[0] for text in figure.axes[0].texts) < 9


def test_segments_have_a_line_below():
    figure = plots.shaded_tokens(
        [["a", "b", "c"]], [np.ones(3)], segments=[np.array([0.2, 0.2, 0.8])]
    )
    alphas = [box.get_alpha() for box in figure.axes[0].patches[1::2]]
    assert alphas == pytest.approx([0.25, 0.25, 1.0])


@pytest.mark.parametrize(
    ("tokens", "weights", "message"),
    [
        ([], [], "no texts"),
        ([["a", "b"]], [np.ones(1)], "each of the 2 tokens"),
    ],
)
def test_what_cannot_be_drawn_is_explained(tokens, weights, message):
    with pytest.raises(ValueError, match=message):
        plots.shaded_tokens(tokens, weights)
