"""Texts of users in figures are drawn as they are."""

import io
import warnings

import numpy as np
import pytest
from matplotlib import font_manager
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from keras_attention.explain import plots
from keras_attention.explain.attribution.elements import ImagePatches, Tokens
from keras_attention.explain.attribution.explanation import Explanation
from keras_attention.explain.plots import fonts, lettering
from keras_attention.explain.plots.literal_figure import LiteralFigure
from tests.explain.plots.contract import check_texts_are_literal

pytestmark = pytest.mark.runs_on("torch")


INSTALLED = tuple(font_manager.fontManager.ttflist)


def ones(*shape):
    return np.ones(shape, np.float32)


def explained(elements, count):
    return Explanation("rollout", ones(1, count), elements, np.zeros(1, int))


def tokens(text):
    return Tokens(ones(1, 3), None, np.ones((1, 3), bool), [[text] * 3])


def patches():
    edges = (np.array([0, 2, 4]),) * 2
    return ImagePatches(ones(1, 4, 4, 1), None, np.ones((1, 4), bool), grid=(2, 2), edges=edges)


FIGURES = {
    "heads": lambda t: plots.attention_heads({t: ones(1, 2, 2)}, [t, t], title=t),
    "overview": lambda t: plots.head_overview({t: ones(1, 2, 2)}, title=t),
    "audio": lambda t: plots.spectrogram_attention(ones(1, 4, 4), {t: ones(1, 2, 2)}, [t], title=t),
    "images": lambda t: plots.image_attention(ones(1, 4, 4, 1), {t: ones(1, 2, 2)}, [t], title=t),
    "words": lambda t: plots.word_attention(ones(4, 4, 1), [t], ones(1, 2, 2), title=t),
    "graph": lambda t: plots.node_attention(
        [[1, 0], [2, 0]], ones(2), 0, [0, 1, 1], [t, t], title=t
    ),
    "shaded": lambda t: plots.shaded_tokens([[t, t]], [ones(2)], [t], title=t),
    "explained": lambda t: plots.explanation(explained(tokens(t), 3), [t], title=t),
    "image and text": lambda t: plots.image_and_text(
        explained(patches(), 4),
        explained(tokens(t), 3),
        [t],
        title=t,
    ),
}


@pytest.mark.parametrize("draw", FIGURES.values(), ids=FIGURES)
def test_every_figure_draws_what_it_is_given(draw):
    check_texts_are_literal(draw)


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


def test_long_names_lose_their_middle():
    assert lettering.name("abcdefgh", 5) == "ab\u2026gh"
    assert lettering.name("abcde", 5) == "abcde"
    assert lettering.name("a\nb\tc") == r"a\nb\tc"
    assert lettering.caption("8\n(as 9)\t") == "8\n(as 9)\\t"
    assert lettering.name("\ud83d\u202ex") == "\\ud83d\u202ex"


def test_wide_letters_take_two_cells():
    assert lettering.cells("ab") == 2
    assert lettering.cells("天气") == 4
    assert lettering.cells("e\u0301") == 1  # an accent of its own
    assert lettering.name("天" * 9, 9) == "天天\u2026天天"
    figure = plots.shaded_tokens([["天气", "ok"]], [np.ones(2)])
    wide, narrow = (box.get_width() for box in figure.axes[0].patches)
    assert (wide - narrow) * 72 / (0.6 * 9) == pytest.approx(2)


def test_a_font_that_has_the_letter_is_found(tmp_path, monkeypatch):
    path = tmp_path / "square.ttf"
    make_font(path, "天")
    entry = font_manager.ttfFontProperty(font_manager.get_font(str(path)))
    monkeypatch.setattr(font_manager.fontManager, "ttflist", [*INSTALLED, entry])
    fonts._family_with.cache_clear()
    own = font_manager.FontProperties()
    assert fonts.families("a天", own) == [*own.get_family(), "Square"]
    figure = LiteralFigure(figsize=(2, 1))
    figure.suptitle("a天")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # as matplotlib warns of a glyph that is missing
        figure.savefig(io.BytesIO())


def test_where_no_font_has_the_letter_a_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setattr(font_manager.fontManager, "ttflist", [])
    fonts._family_with.cache_clear()
    with pytest.warns(UserWarning, match="glyph for '天'.*apt-get install fonts-noto-cjk"):
        fonts.families("天", font_manager.FontProperties())
    fonts._family_with.cache_clear()


def make_font(path, letter):
    """Writes a font in which a letter is a square."""
    from fontTools.fontBuilder import FontBuilder
    from fontTools.pens.ttGlyphPen import TTGlyphPen

    pen = TTGlyphPen(None)
    pen.moveTo((100, 0))
    for corner in ((100, 700), (800, 700), (800, 0)):
        pen.lineTo(corner)
    pen.closePath()
    glyph = pen.glyph()
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder([".notdef", "square"])
    builder.setupCharacterMap({ord(letter): "square"})
    builder.setupGlyf({".notdef": glyph, "square": glyph})
    builder.setupHorizontalMetrics({".notdef": (1000, 100), "square": (1000, 100)})
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "Square", "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(path)
