"""The figure that all pictures are drawn on; it needs matplotlib."""

import io
from typing import Any

from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.text import Text

from keras_attention.explain.plots.fonts import families
from keras_attention.explain.plots.lettering import printable


class LiteralFigure(Figure):
    """A figure that draws every text as it is: `$` is a dollar, not the start of a formula, and a
    letter that the first font lacks is drawn in another one.

    Its texts come from users: tokens, names of classes and layers, captions. The numbers at ticks
    are matplotlib's own, which may set them as formulas.
    """

    def draw(self, renderer: Any) -> None:
        numbers: set[Text] = set()
        for axis in self.findobj(Axis):
            parts = [part for part in axis.get_children() if part is not axis.label]
            numbers.update(text for part in parts for text in part.findobj(Text))
        for text in self.findobj(Text):
            if text not in numbers:
                text.set(text=printable(text.get_text()), parse_math=False, usetex=False)
            if not text.get_text().isascii():
                text.set_family(families(text.get_text(), text.get_fontproperties()))
        super().draw(renderer)

    def _repr_png_(self) -> bytes:
        """Returns the picture for a notebook, which knows figures only once pyplot is imported."""
        picture = io.BytesIO()
        self.savefig(picture, format="png")
        return picture.getvalue()
