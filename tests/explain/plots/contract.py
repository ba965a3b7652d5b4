"""The checks that every figure passes, of the library and of the zoo."""

import io

from matplotlib.text import Text

from keras_attention.explain.plots import lettering
from keras_attention.explain.plots.literal_figure import LiteralFigure

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


def check_texts_are_literal(draw):
    """Texts of users are drawn as they are.

    Args:
        draw: a function that draws a text in every place of a figure where users' texts may be.
    """
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
