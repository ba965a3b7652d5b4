"""Figures of explanations: elements that speak for an output, and those that speak against it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from keras_attention.explain.attribution.elements import (
    Columns,
    Frames,
    ImagePatches,
    Nodes,
    Steps,
    Tokens,
)
from keras_attention.explain.plots import figures, lettering
from keras_attention.explain.plots.image import draw_pale
from keras_attention.explain.plots.text import (
    CAPTION,
    LETTER,
    LINE,
    draw_caption,
    draw_token,
    place_tokens,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from keras_attention.explain.attribution.explanation import Explanation

_WIDTH = 8.6  # inches of a line of text
_NODES = 24  # that a picture of a graph has room for, beside the one that is explained
_COLOURS = "RdBu"  # red speaks against, blue for; also to the colour-blind
_TITLES = {  # what one should see, by the method
    "attention": "What the last layer of attention reads",
    "attention_gradient": "What the last layer of attention reads that speaks for the answer",
    "gradient_x_input": "What the answer grows with, to first order",
    "integrated_gradients": "What makes the answer, on the way from an empty input",
    "leave_one_out": "What the answer loses when an element is taken away",
    "relevance": "What the attention of all layers finds for the answer",
    "rollout": "What the attention of all layers leads to, whatever the answer",
}
_SCALES = "each input has a scale of its own, up to its largest score."


def explanation(result: "Explanation", titles: Sequence[str] = (), *, title: str = "") -> "Figure":
    """Draws the scores of a batch on their elements: text, images, recordings, graphs,
    rows of tables or steps of series.

    Blue speaks for the output that was explained and red against it; methods that follow
    attention know no red. Each input has a scale of its own, up to its largest score.

    Args:
        result: of any method of `ka.explain`.
        titles: a line above each input.
        title: of the figure; what the method shows if empty.

    Raises:
        ValueError: another number of titles than of inputs.
    """
    count = len(result.scores)
    if titles and len(titles) != count:
        raise ValueError(f"`titles` must have {count} lines. Received: {len(titles)}")
    titles = [lettering.caption(line, CAPTION) for line in titles] or [""] * count
    kinds = {
        Tokens: _draw_texts,
        Columns: _draw_texts,
        Steps: _draw_texts,
        ImagePatches: _draw_images,
        Frames: _draw_recordings,
        Nodes: _draw_graphs,
    }
    return kinds[type(result.elements)](result, titles, title or _title(result))


def _title(result: "Explanation") -> str:
    name = result.method.replace("_", " ")
    return f"{_TITLES[result.method]} ({name})" if result.method in _TITLES else name


def _draw_texts(result: "Explanation", titles: list[str], title: str) -> "Figure":
    tokens = [[lettering.name(token) for token in text] for text in result.elements.labels]
    starts, places, rows = place_tokens(tokens, list(map(bool, titles)), _WIDTH)
    ends = [
        (column + lettering.cells(token)) * LETTER
        for text, of_text in zip(tokens, places, strict=True)
        for token, (_, column) in zip(text, of_text, strict=True)
    ]
    width = max(4.0, *ends, *(0.8 * LETTER * lettering.cells(caption) for caption in titles))
    figure = figures.create(width + 0.3, rows * LINE + 1.0)
    ax = figure.subplots()
    ax.set_xlim(-0.1, width)
    ax.set_ylim(rows * LINE, -LINE)
    ax.set_axis_off()
    for number, (text, shares) in enumerate(zip(tokens, _shares(result), strict=True)):
        draw_caption(ax, titles[number], starts[number])
        for token, (row, column), share in zip(text, places[number], shares, strict=False):
            colour = _colour(share)
            draw_token(ax, token, row, column, colour=colour, ink=_ink(colour))
    _add_scale(figure, ax, result, orientation="horizontal")
    figures.set_title(figure, title)
    _caption(figure, result, "Each line is a text, its tokens under their scores")
    return figure


def image_and_text(
    image: "Explanation", text: "Explanation", titles: Sequence[str] = (), *, title: str = ""
) -> "Figure":
    """Draws images above texts about them, each with its scores: a column for each input.

    Args:
        image, text: of one batch and one method, each by the name of its input.
        titles: a line above each input.
        title: of the figure; the method if empty.

    Raises:
        ValueError: they are not of patches and of tokens, or another number of titles.
    """
    count = len(image.scores)
    if not isinstance(image.elements, ImagePatches) or not isinstance(text.elements, Tokens):
        raise ValueError(
            "`image` must have scores of patches and `text` of tokens. Received: "
            f"{image.elements.kind} and {text.elements.kind}"
        )
    if len(text.scores) != count or (titles and len(titles) != count):
        raise ValueError(
            "`image`, `text` and `titles` must be of the same inputs. Received: "
            f"{count}, {len(text.scores)} and {len(titles)}"
        )
    side = 1.6  # inches
    images = np.clip(np.asarray(image.elements.array), 0, 255).astype(np.uint8)
    words = [  # without padding
        [
            (lettering.name(token, 20), share)
            for token, share in zip(tokens, shares, strict=False)
            if token
        ]
        for tokens, shares in zip(text.elements.labels, _shares(text), strict=True)
    ]
    places = [place_tokens([[token for token, _ in row]], [False], side)[1][0] for row in words]
    lines = 1 + max(row for of_text in places for row, _ in of_text)
    tall = side * images.shape[1] / images.shape[2]
    heights = [tall, tall, lines * LINE]
    figure = figures.create((side + 0.1) * count + 0.8, sum(heights) + 1.0)
    axes = figure.subplots(3, count, squeeze=False, height_ratios=heights)
    shares_at_pixels = image.elements.cells(_shares(image))
    for number, (above, below, written) in enumerate(axes.T):
        _draw_scored_image(above, below, images[number], shares_at_pixels[number])
        if titles:
            above.set_title(lettering.caption(titles[number]), fontsize=8)
        written.set_xlim(-0.5 * LETTER, side)
        written.set_ylim((lines - 0.5) * LINE, -0.5 * LINE)
        for (token, share), (row, column) in zip(words[number], places[number], strict=True):
            colour = _colour(share)
            draw_token(written, token, row, column, colour=colour, ink=_ink(colour))
    for ax in axes.flat:
        ax.set_axis_off()
    _add_scale(figure, axes, image)
    figures.set_title(figure, title or _title(image))
    figures.set_caption(
        figure,
        f"Above the image, below it pale under the scores of its patches, then the text: "
        f"{_colours(image)}; an image and its text have a scale each, up to their largest score.",
    )
    return figure


def _draw_images(result: "Explanation", titles: list[str], title: str) -> "Figure":
    elements = cast(ImagePatches, result.elements)
    images = np.clip(np.asarray(elements.array), 0, 255).astype(np.uint8)
    height, width = images.shape[1:3]
    columns = min(len(images), 6)
    blocks = -(-len(images) // columns)
    tall = 1.5 * height / width
    figure = figures.create(1.5 * columns + 1.0, blocks * (2 * tall + 0.45) + 0.5)
    axes = figure.subplots(2 * blocks, columns, squeeze=False)
    for ax in axes.flat:
        ax.set_axis_off()
    shares = elements.cells(_shares(result))
    for number, image in enumerate(images):
        block, column = divmod(number, columns)
        above, below = axes[2 * block, column], axes[2 * block + 1, column]
        _draw_scored_image(above, below, image, shares[number])
        above.set_title(lettering.caption(titles[number]), fontsize=8)
    _add_scale(figure, axes, result)
    figures.set_title(figure, title)
    _caption(figure, result, "Above each image, below it pale under the scores of its patches")
    return figure


def _draw_scored_image(above: Any, below: Any, image: np.ndarray, shares: np.ndarray) -> None:
    """Draws an image `(height, width, C)`, and below it with shares `(height, width)` on it."""
    above.imshow(image[..., 0] if image.shape[-1] == 1 else image, cmap="gray", vmin=0, vmax=255)
    draw_pale(below, image.mean(axis=-1))
    below.imshow(shares, cmap=_heat(), vmin=-1, vmax=1)


def _draw_recordings(result: "Explanation", titles: list[str], title: str) -> "Figure":
    elements = cast(Frames, result.elements)
    seconds = float(elements.labels[0][1].split()[0]) if elements.present.shape[1] > 1 else 1.0
    figure = figures.create(7.5, 1.15 * len(titles) + 0.8)
    axes = figure.subplots(len(titles), 1, squeeze=False)[:, 0]
    for ax, wave, shares, present, caption in zip(
        axes, elements.array, _shares(result), elements.present, titles, strict=True
    ):
        wave = wave[~np.isnan(wave)]
        end = present.sum() * seconds
        highest = max(float(np.abs(wave).max(initial=0)), 1e-6)
        ax.imshow(
            shares[None, : present.sum()],
            cmap=_heat(),
            vmin=-1,
            vmax=1,
            aspect="auto",
            extent=(0, end, -highest, highest),
        )
        times = np.arange(len(wave)) * seconds / elements.hop
        ax.plot(times, wave, color="0.35", linewidth=0.5)
        ax.set_xlim(0, end)
        ax.set_yticks([])
        ax.tick_params(labelsize=7)
        ax.set_title(caption, fontsize=8, loc="left")
    axes[-1].set_xlabel("seconds", fontsize=8)
    _add_scale(figure, axes, result)
    figures.set_title(figure, title)
    _caption(figure, result, "The waves, under the scores of stretches of time")
    return figure


def _draw_graphs(result: "Explanation", titles: list[str], title: str) -> "Figure":
    elements, position = result.elements, result.position
    edges = elements.inputs["edges"] if isinstance(elements.inputs, dict) else None
    figure = figures.create(4.4 * len(titles) + 0.9, 4.8)
    axes = figure.subplots(1, len(titles), squeeze=False)[0]
    for number, (ax, scores, caption) in enumerate(zip(axes, result.scores, titles, strict=True)):
        own = None if position is None else int(position[number])
        of_graph = [] if edges is None else edges[number]
        hidden = _draw_graph(ax, scores, own, of_graph)
        ax.set_title(caption + (f" ({hidden} more nodes)" if hidden else ""), fontsize=9)
        ax.set_xlim(-1.2, 1.2)
        ax.set_ylim(-1.2, 1.2)
        ax.set_aspect("equal")
        ax.set_axis_off()
    _add_scale(figure, axes, result)
    figures.set_title(figure, title)
    _caption(
        figure,
        result,
        "A node among those with the largest scores, the one that is explained in the middle",
    )
    return figure


def _draw_graph(ax: Any, scores: np.ndarray, own: int | None, edges: Any) -> int:
    """Draws the nodes with the largest scores in a circle, and in its middle the `own` one.

    Returns:
        How many nodes with a score there was no room for.
    """
    # A node says most of itself, and would leave no colour for the others.
    largest = np.abs(np.delete(scores, [] if own is None else own)).max(initial=0)
    shares = np.clip(scores / (largest or 1), -1, 1)
    order = [i for i in np.argsort(-np.abs(shares), kind="stable") if i != own and shares[i]]
    shown = order[:_NODES]
    angles = np.pi / 2 - 2 * np.pi * np.arange(len(shown)) / max(1, len(shown))
    places = {int(i): (np.cos(a), np.sin(a)) for i, a in zip(shown, angles, strict=True)}
    if own is not None:
        places[own] = (0.0, 0.0)
    for source, target in edges:
        if source != target and source in places and target in places:
            (x, y), (u, v) = places[int(source)], places[int(target)]
            ax.plot([x, u], [y, v], color="0.75", linewidth=0.8, zorder=1)
    for node, (x, y) in places.items():
        ring = "black" if node == own else "0.4"
        colour = _colour(shares[node])
        ax.scatter([x], [y], s=430, color=[colour], edgecolors=ring, zorder=2)
        ax.text(x, y, str(node), ha="center", va="center", fontsize=7, zorder=3, color=_ink(colour))
    return len(order) - len(shown)


def _shares(result: "Explanation") -> np.ndarray:
    """Returns scores as shares of the largest one of each input, from -1 to 1."""
    largest = np.abs(result.scores).max(axis=1, keepdims=True)
    return result.scores / np.where(largest == 0, 1, largest)


def _heat() -> Any:
    """Returns the colours of scores over a picture, the more opaque the larger a score is."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    shares = np.linspace(-1, 1, 255)
    colours = np.where(shares[:, None] < 0, colormaps[_COLOURS](0.06), colormaps[_COLOURS](0.94))
    colours[:, 3] = 0.9 * np.abs(shares)
    return ListedColormap(colours)


def _colours(result: "Explanation") -> str:
    """Returns in words what the colours of scores mean."""
    against = ", red against it" if (result.scores < 0).any() else ""
    return f"dark blue speaks most for the answer{against}"


def _caption(figure: "Figure", result: "Explanation", begin: str) -> None:
    """Writes below the figure how it is read: what is drawn, and what its colours mean."""
    figures.set_caption(figure, f"{begin}: {_colours(result)}; {_SCALES}")


def _colour(share: float) -> Any:
    from matplotlib import colormaps

    return colormaps[_COLOURS]((1 + share) / 2)


def _ink(colour: Any) -> str:
    """Returns a colour of letters that can be read on another colour."""
    return "white" if figures.lightness(colour) < 0.55 else "black"


def _add_scale(figure: "Figure", axes: Any, result: "Explanation", **how: Any) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    signed = bool((result.scores < 0).any())
    colours = ScalarMappable(Normalize(-1, 1), _COLOURS)
    bar = figure.colorbar(colours, ax=axes, shrink=0.6, fraction=0.04, aspect=30, pad=0.02, **how)
    along = bar.ax.set_xlim if how.get("orientation") == "horizontal" else bar.ax.set_ylim
    along(-1 if signed else 0, 1)
    ticks = {-1: "against", 0: "0", 1: "for"} if signed else {0: "0", 1: "largest score"}
    bar.set_ticks(list(ticks), labels=list(ticks.values()), fontsize=8)
