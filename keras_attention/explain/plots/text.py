"""Figures of attention to texts."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from keras import ops

from keras_attention.explain.plots import figures, lettering

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SIZE = 9  # points
LETTER = 0.6 * _SIZE / 72  # inches, in a monospaced font
LINE = 0.30  # inches
CAPTION = 120  # letters


def shaded_tokens(
    tokens: Sequence[Sequence[str]],
    weights: Sequence[Any],
    captions: Sequence[str] = (),
    *,
    segments: Sequence[Any] | None = None,
    title: str = "Attention weights",
    width: float = 9.0,
) -> "Figure":
    """Draws texts, each token on a blue as dark as its weight, as in figure 5 of Yang et al., 2016
    (https://aclanthology.org/N16-1174).

    Args:
        tokens: of each text, as `Tokenizer.tokens` gives them.
        weights: of each text, one weight per token, or more that belong to padding.
        captions: a line above each text.
        segments: of each text, for each token the weight of its segment: a red line below.
        title: of the figure.
        width: of the figure, in inches.

    Raises:
        ValueError: there is no text, or a text has more tokens than weights.
    """
    if not tokens:
        raise ValueError("There are no texts to draw.")
    tokens = [[lettering.name(token) for token in text] for text in tokens]
    shades = [_scale(w, t, "weights") for w, t in zip(weights, tokens, strict=True)]
    below = weights if segments is None else segments
    lines = [_scale(s, t, "segments") for s, t in zip(below, tokens, strict=True)]
    starts, places, rows = place_tokens(tokens, [bool(captions)] * len(tokens), width - 0.3)
    figure = figures.create(width, rows * LINE + 0.6)
    ax = figure.subplots()
    ax.set_xlim(0, width - 0.3)
    ax.set_ylim(rows * LINE, -LINE)
    ax.set_axis_off()
    from matplotlib.patches import Rectangle

    for number, text in enumerate(tokens):
        if captions:
            draw_caption(ax, captions[number], starts[number])
        for index, (token, (row, column)) in enumerate(zip(text, places[number], strict=True)):
            shade = shades[number][index]
            blue = (1 - 0.85 * shade, 1 - 0.6 * shade, 1.0)
            ink = "white" if shade > 0.75 else "black"
            draw_token(ax, token, row, column, colour=blue, ink=ink)
            if segments is not None:
                ax.add_patch(
                    Rectangle(
                        ((column - 0.5) * LETTER, (row + 0.36) * LINE),
                        (lettering.cells(token) + 1) * LETTER,
                        0.1 * LINE,
                        color="red",
                        alpha=float(lines[number][index]),
                        lw=0,
                    )
                )
    figures.set_title(figure, title)
    figures.set_caption(
        figure,
        "The darker a token, the larger its weight; each text has a scale of its own, up to its "
        "largest weight.",
        "" if segments is None else "The red line below is the weight of its segment.",
    )
    return figure


def place_tokens(
    tokens: Sequence[Sequence[str]], captioned: Sequence[bool], width: float
) -> tuple[list[float], list[list[tuple[float, int]]], float]:
    """Places tokens of texts in lines of a `width` in inches.

    Returns:
        The row that each text begins in, the row and the column in cells of its tokens, and the
        number of rows. Those with a caption have a row for it above.
    """
    fits = int(width / LETTER)
    starts, places, rows = [], [], 0.0
    for text, has_caption in zip(tokens, captioned, strict=True):
        rows += 1 if has_caption else 0
        starts.append(rows)
        column, of_text = 0, []
        for token in text:
            length = lettering.cells(token)
            if column and column + length > fits:
                rows, column = rows + 1, 0
            of_text.append((rows, column))
            column += length + 1
        places.append(of_text)
        rows += 1.4
    return starts, places, rows


def draw_caption(ax: Any, caption: str, start: float) -> None:
    """Draws a line above the text that begins in row `start`."""
    y = (start - 1) * LINE
    ax.text(0, y, lettering.name(caption, CAPTION), fontsize=_SIZE - 1, va="center", color="0.35")


def draw_token(ax: Any, token: str, row: float, column: int, *, colour: Any, ink: str) -> None:
    """Draws a token on a colour."""
    from matplotlib.patches import Rectangle

    box = ((column - 0.3) * LETTER, (row - 0.38) * LINE)
    width = (lettering.cells(token) + 0.6) * LETTER
    ax.add_patch(Rectangle(box, width, 0.72 * LINE, color=colour, lw=0))
    ax.text(
        column * LETTER,
        row * LINE,
        token,
        family="monospace",
        fontsize=_SIZE,
        va="center",
        color=ink,
    )


def _scale(values: Any, tokens: Sequence[str], name: str) -> np.ndarray:
    """Returns a value per token, as a share of the largest."""
    values = np.asarray(ops.convert_to_numpy(values), np.float32)
    if values.ndim != 1 or len(values) < len(tokens):
        raise ValueError(
            f"`{name}` must have a number for each of the {len(tokens)} tokens of a text. "
            f"Received: shape {values.shape}"
        )
    values = values[: len(tokens)]
    return values / max(float(values.max(initial=0.0)), 1e-12)
