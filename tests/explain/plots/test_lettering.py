"""Texts of users in figures are drawn as they are, in every figure there is."""

import io

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from keras_attention.explain import plots
from keras_attention.explain.attribution.elements import Patches, Tokens
from keras_attention.explain.attribution.explanation import Explanation
from keras_attention.explain.plots import audio as audio_plots
from keras_attention.explain.plots import explanation as explanation_plots
from keras_attention.explain.plots import graph as graph_plots
from keras_attention.explain.plots import image as image_plots
from keras_attention.explain.plots import length as length_plots
from keras_attention.explain.plots import lettering
from keras_attention.explain.plots import series as series_plots
from keras_attention.explain.plots import table as table_plots
from keras_attention.explain.plots import tag as tag_plots
from keras_attention.explain.plots import text as text_plots
from keras_attention.explain.plots.literal_figure import LiteralFigure
from zoo.tasks.q_learning import pictures

pytestmark = pytest.mark.runs_on("torch")
HOSTILE = [
    "$<_5$",
    r"$\frac{1}$",
    r"\$ ^ _ {",
    "_hidden",
    "\ud83d",
    "\x00\x1b[31m",
    "a\nb",
    "x" * 9999,
]


def ones(*shape):
    return np.ones(shape, np.float32)


def explained(elements, count):
    return Explanation("rollout", ones(1, count), elements, np.zeros(1, int))


def tokens(text):
    return Tokens(ones(1, 3), None, np.ones((1, 3), bool), [[text] * 3])


def patches():
    edges = (np.array([0, 2, 4]),) * 2
    return Patches(ones(1, 4, 4, 1), None, np.ones((1, 4), bool), grid=(2, 2), edges=edges)


FIGURES = {
    "heads": lambda t: plots.attention_heads({t: ones(1, 2, 2)}, [t, t], title=t),
    "overview": lambda t: plots.head_overview({t: ones(1, 2, 2)}, title=t),
    "curves": lambda t: plots.training_curves({"loss": [1.0], "val_loss": [1.0]}, held_out=t),
    "spread": lambda t: plots.spread_curves({t: [[1.0, 2.0]]}, label=t, title=t),
    "confusion": lambda t: plots.confusion_matrix([0], [1], [t, t], title=t),
    "audio": lambda t: audio_plots.spectrogram_attention(
        ones(1, 4, 4), {t: ones(1, 2, 2)}, [t], title=t
    ),
    "images": lambda t: image_plots.image_attention(
        ones(1, 4, 4, 1), {t: ones(1, 2, 2)}, [t], title=t
    ),
    "words": lambda t: image_plots.word_attention(ones(4, 4, 1), [t], ones(1, 2, 2), title=t),
    "graph": lambda t: graph_plots.neighbourhood(
        [[1, 0], [2, 0]], ones(2), 0, [0, 1, 1], [t, t], title=t
    ),
    "lengths": lambda t: length_plots.by_length({t: {t: {1: 2.0, 2: 3.0}}}, title=t, length=t),
    "series": lambda t: series_plots.forecast(
        ones(3, 1), ones(2, 1), {t: ones(2, 1)}, [t], title=t, step=t
    ),
    "errors": lambda t: series_plots.error_by_step({t: ones(3)}, title=t, step=t),
    "numbers": lambda t: table_plots.predictions(ones(3), ones(3), title=t, unit=t),
    "tags": lambda t: tag_plots.tag_scores([0, 0], [0, 1], [t, t], title=t),
    "shaded": lambda t: text_plots.shaded_tokens([[t, t]], [ones(2)], [t], title=t),
    "pairs": lambda t: text_plots.confused_pairs([0], [1], [t, t], title=t),
    "explained": lambda t: explanation_plots.explanation(explained(tokens(t), 3), [t], title=t),
    "image and text": lambda t: explanation_plots.image_and_text(
        explained(patches(), 4),
        explained(tokens(t), 3),
        [t],
        title=t,
    ),
    "values": lambda t: pictures.advantage(
        lambda x: ones(len(x), 2), lambda a, v: a, actions=[t, t], title=t, size=3
    ),
    "timeline": lambda t: pictures.timeline(ones(3, 2), ones(3, 2), ["a", "b"], title=t),
}


@pytest.mark.parametrize("draw", FIGURES.values(), ids=FIGURES)
def test_every_figure_draws_what_it_is_given(draw):
    for text in HOSTILE:
        figure = draw(text)
        assert isinstance(figure, LiteralFigure)
        assert max(figure.get_size_inches()) < 20
        figure.savefig(io.BytesIO(), dpi=20)
        shown = [part for part in figure.findobj(Text) if says(part.get_text(), text)]
        assert shown or len(text) > 1000, text
        assert not any(part.get_parse_math() for part in shown)


def says(drawn, text):
    """Whether a drawn text has another one in it, in one line or with its line breaks."""
    return any(form(text) in drawn for form in (lettering.name, lettering.printable, one_line))


def one_line(text):
    return " ".join(lettering.printable(text).split())


def test_legends_have_what_begins_with_an_underscore():
    figure = plots.spread_curves({"_a": [[1.0]], "b": [[2.0]]}, label="return")
    entries = [text.get_text().strip("\u200b") for text in figure.axes[0].get_legend().get_texts()]
    assert entries == ["_a (1 seed)", "b (1 seed)"]


def test_a_dollar_looks_like_a_dollar():
    """The pixels are those of matplotlib's own way to write a dollar, not those of a formula."""

    def pixels(kind, title):
        figure = kind(figsize=(2, 1))
        figure.suptitle(title)
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        return np.asarray(canvas.buffer_rgba())

    literal, formula = pixels(LiteralFigure, "$x_1$"), pixels(Figure, "$x_1$")
    np.testing.assert_array_equal(literal, pixels(Figure, r"\$x_1\$"))
    assert not np.array_equal(literal, formula)


def test_numbers_at_ticks_stay_formulas():
    figure = LiteralFigure(figsize=(2, 2))
    ax = figure.subplots()
    ax.loglog([1, 1e6], [1, 1e6])
    figure.savefig(io.BytesIO())
    assert all(label.get_parse_math() for label in ax.get_xticklabels())


@pytest.mark.parametrize("count", [41, 100, 1000])
def test_of_many_names_as_many_are_drawn_as_can_be_read(count):
    names = [f"class {i}" for i in range(count)]
    (ax, _) = plots.confusion_matrix([0], [0], names).axes
    for axis in (ax.xaxis, ax.yaxis):
        shown = {
            int(tick): label.get_text()
            for tick, label in zip(axis.get_ticklocs(), axis.get_ticklabels(), strict=True)
        }
        assert 20 <= len(shown) <= 40
        assert shown == {i: names[i] for i in shown}


def test_long_names_lose_their_middle():
    assert lettering.name("abcdefgh", 5) == "ab\u2026gh"
    assert lettering.name("abcde", 5) == "abcde"
    assert lettering.name("a\nb\tc") == r"a\nb\tc"
    assert lettering.caption("8\n(as 9)\t") == "8\n(as 9)\\t"
    assert lettering.name("\ud83d\u202ex") == "\\ud83d\u202ex"
