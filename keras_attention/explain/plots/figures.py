"""Parts of every picture: the figure they are drawn on, its title, names at ticks, heatmaps."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_attention.explain.plots import lettering

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_NUMBER = 0.4  # inches that a cell needs to have its number written in it
_LABELS_UP_TO = 40  # ticks per side that can be read; of more, every second and so on has one
_LINE = 0.12  # inches that a line of a tick label takes
_CAPTION_LINE = 0.145  # inches
_LETTER = 0.075  # inches that a letter of a tick label takes


def create(width: float, height: float) -> "Figure":
    """Returns an empty figure of a size in inches.

    Raises:
        ImportError: matplotlib is not installed.
    """
    try:
        from keras_attention.explain.plots.literal_figure import LiteralFigure
    except ImportError as error:
        raise ImportError(
            'Figures need matplotlib: python -m pip install "keras-attention[plots]"'
        ) from error
    return LiteralFigure(figsize=(width, height), layout="constrained")


def set_title(figure: "Figure", *lines: str, size: int = 11) -> None:
    """Writes a title of `size` points above the figure, if there is one.

    No layout engine of matplotlib breaks lines, so each of these is broken where the figure ends.
    """
    letters = int(figure.get_figwidth() / (1.4 * _LETTER))
    if any(lines):
        figure.suptitle("\n".join(lettering.title(line, letters) for line in lines), fontsize=size)


def set_caption(figure: "Figure", *sentences: str) -> None:
    """Writes below the figure, in lines of its own, how it is to be read.

    Args:
        figure: whose other parts are all there; it becomes higher.
        sentences: empty ones are left out.
    """
    width, height = figure.get_size_inches()
    text = lettering.paragraph(" ".join(filter(None, sentences)), int(width / (0.9 * _LETTER)))
    figure.set_size_inches(width, height + _CAPTION_LINE * (1 + text.count("\n")) + 0.05)
    figure.supxlabel(text, x=0.01, ha="left", fontsize=8, color="0.3")


def draw_heatmap(ax: "Axes", values: np.ndarray, highest: float, *, cmap: str, room: float) -> Any:
    """Draws cells from 0 to `highest`, with their numbers in them if there is `room` (inches).

    Returns:
        The image, which a colour bar needs.
    """
    image = ax.imshow(values, vmin=0, vmax=highest, cmap=cmap)
    if room >= _NUMBER:
        for (row, column), value in np.ndenumerate(values):
            if np.isnan(value):
                continue
            dark = lightness(image.cmap(image.norm(value))) < 0.5
            ax.text(
                column,
                row,
                f"{value:.2f}" if values.dtype.kind == "f" else f"{value}",
                ha="center",
                va="center",
                fontsize=8,
                color="white" if dark else "black",
            )
    return image


def lightness(colour: Any) -> float:
    """Returns how light a colour `(red, green, blue, alpha)` looks, from 0 to 1."""
    red, green, blue, _ = colour
    return 0.299 * red + 0.587 * green + 0.114 * blue


def measure_names(names: Sequence[str]) -> float:
    """Returns the inches that the longest of the names takes beside an axis."""
    return _LETTER * max((lettering.cells(lettering.name(name)) for name in names), default=0)


def name_ticks(axis: Any, names: Sequence[str], *, room: float = np.inf) -> str:
    """Names the ticks: all, or every second, third and so on where a cell's `room` (inches) is too
    small for a line. Below a picture, a name that is longer than its cell stands upright.

    Returns:
        A sentence that says how many names are left out; empty if none is.
    """
    if not names:
        return ""
    step = max(-(-len(names) // _LABELS_UP_TO), math.ceil(_LINE / room))
    shown = range(0, len(names), step)
    labels = [lettering.name(names[i]) for i in shown]
    axis.set_ticks(shown, labels, fontsize=8, parse_math=False, usetex=False)
    if axis.axis_name == "x" and measure_names(labels) > step * room:
        axis.set_tick_params(rotation=90)
    left_out = len(names) - len(shown)
    if not left_out:
        return ""
    side = "columns" if axis.axis_name == "x" else "rows"
    return f"Of the {len(names)} {side} every {_ordinal(step)} is named, {left_out} are not."


def _ordinal(number: int) -> str:
    return {2: "second", 3: "third"}.get(number, f"{number}th")
