"""Figures of attention to images."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from keras import ops

from keras_attention.explain.plots import figures, lettering

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WORDS_IN_A_ROW = 6  # with the image itself
_PALE = 0.62  # how light black is in a picture below heat
_HEAT = (0.80, 0.20, 0.0)  # red, green, blue: no hue of a grey picture, and dark on a pale one


def image_attention(
    images: Any, maps: Mapping[str, Any], titles: Sequence[str] = (), *, title: str = ""
) -> "Figure":
    """Draws images and below them the weights of their patches: a column per image, a row per map.

    Args:
        images: `(B, H, W, 1)` or `(B, H, W, 3)`, 0 to 255.
        maps: by name, at least one, weights `(B, rows, columns)` of cells of each image, all of
            one size, or of its pixels, as the `cells` of its elements gives. All pictures have one
            scale, from no weight to the largest of all.
        titles: B titles.
        title: of the figure.

    Raises:
        ValueError: no maps, or another number of titles or of rows of a map than of images.
    """
    if not maps:
        raise ValueError(
            "There are no attention maps to draw. Call the model itself, not `predict`, inside "
            "`with ka.capture() as maps:`."
        )
    images = np.asarray(ops.convert_to_numpy(images)).astype(np.uint8)
    weights = {name: np.asarray(ops.convert_to_numpy(value)) for name, value in maps.items()}
    for name, value in {**weights, "titles": titles or images}.items():
        if len(value) != len(images):
            raise ValueError(f"{name!r} must have one entry for each of the {len(images)} images.")
    figure = figures.create(1.35 * len(images) + 0.9, 1.5 * (1 + len(weights)) + 0.3)
    axes = figure.subplots(1 + len(weights), len(images), squeeze=False)
    grey = images.mean(axis=-1)
    highest = max(float(value.max(initial=0)) for value in weights.values())
    for column in range(len(images)):
        pixels = images[column, ..., 0] if images.shape[-1] == 1 else images[column]
        axes[0, column].imshow(pixels, cmap="gray", vmin=0, vmax=255)
        if titles:
            axes[0, column].set_title(lettering.caption(titles[column]), fontsize=8)
        for row, (name, value) in enumerate(weights.items(), 1):
            ax = axes[row, column]
            draw_heat(ax, grey[column], value[column], highest)
            if column == 0:
                ax.set_ylabel(
                    "/\n".join(lettering.name(part, 20) for part in name.split("/")[-3:]),
                    fontsize=8,
                )  # no longer than a row
    for ax in axes.flat:
        ax.set_xticks([])
        ax.set_yticks([])
    axes[0, 0].set_ylabel("image", fontsize=8)
    add_scale(figure, axes[1:], highest)
    figures.set_title(figure, title)
    figures.set_caption(
        figure,
        "Above the images, below them pale, with the patches that a layer reads in red: the "
        "darker, "
        "the more, on one scale for all. Where there is a class token, the token that is put in "
        "front and from which the answer is read, the weights are its own; else the mean over all "
        "patches that read.",
    )
    return figure


def word_attention(image: Any, words: Sequence[str], weights: Any, *, title: str = "") -> "Figure":
    """Draws an image, and beside it what was read of it for each word of its caption.

    Args:
        image: `(H, W, 1)` or `(H, W, 3)`, 0 to 255.
        words: T words. Of none, the image stands alone.
        weights: `(T, rows, columns)` of the image's regions. All pictures have one scale, from no
            weight to the largest of all.
        title: of the figure.

    Raises:
        ValueError: another number of weights than of words.
    """
    image = np.asarray(ops.convert_to_numpy(image)).astype(np.uint8)
    weights = np.asarray(ops.convert_to_numpy(weights))
    if weights.ndim != 3 or len(weights) != len(words):
        raise ValueError(
            "`weights` must have shape (T, rows, columns) for T `words`. Received: "
            f"weights of shape {weights.shape}, {len(words)} words"
        )
    columns = min(_WORDS_IN_A_ROW, 1 + len(words))
    rows = -(-(1 + len(words)) // columns)
    figure = figures.create(1.35 * columns + 0.9, 1.6 * rows + 0.4)
    axes = figure.subplots(rows, columns, squeeze=False)
    for ax in axes.flat:
        ax.set_axis_off()
    axes[0, 0].imshow(image[..., 0] if image.shape[-1] == 1 else image, "gray", vmin=0, vmax=255)
    highest = float(weights.max(initial=0))
    for ax, word, of_word in zip(axes.flat[1:], words, weights, strict=False):
        draw_heat(ax, image.mean(axis=-1), of_word, highest)
        ax.set_title(lettering.name(word, 20), fontsize=8)
    if len(words):
        add_scale(figure, axes, highest)
    figures.set_title(figure, *title.splitlines())
    if len(words):
        figures.set_caption(
            figure,
            "First the image, then pale, with what was read of it for each word in red: the "
            "darker, "
            "the more, on one scale for all words.",
        )
    return figure


def patch_weights(maps: Mapping[str, Any], rows: int, columns: int) -> dict[str, np.ndarray]:
    """Returns by layer the weights `(B, rows, columns)` of the patches of an image.

    They are means over heads and queries.

    Where there is a class token, its query counts alone, without the
    weight that it gives to itself.

    Args:
        maps: captured weights `(B, N, T, S)` by path, `S` the patches, or tokens before them too.
        rows, columns: of the patches.

    Raises:
        ValueError: weights of fewer positions than there are patches.
    """
    weights_by_layer = {}
    patches = rows * columns
    for path, weights in maps.items():
        mean = np.asarray(ops.convert_to_numpy(weights), np.float32).mean(axis=1)  # (B, T, S)
        if mean.shape[2] < patches:
            raise ValueError(
                f"{path!r} has weights of {mean.shape[2]} positions, and there are {rows} x "
                f"{columns} patches."
            )
        queries = mean[:, :1] if mean.shape[2] > patches else mean
        row = queries.mean(axis=1)[:, -patches:]
        weights_by_layer[path.removesuffix("/attention")] = row.reshape(-1, rows, columns)
    return weights_by_layer


def draw_pale(ax: "Axes", grey: np.ndarray) -> None:
    """Draws an image `(H, W)` in light greys, on which colours can be seen."""
    ax.imshow(grey, cmap="gray", vmin=-255 * _PALE / (1 - _PALE), vmax=255)


def draw_heat(ax: "Axes", grey: np.ndarray, weights: np.ndarray, highest: float) -> None:
    """Draws weights `(rows, columns)` over an image `(H, W)`, as dark as they are large."""
    height, width = grey.shape
    draw_pale(ax, grey)
    extent = (-0.5, width - 0.5, height - 0.5, -0.5)
    ax.imshow(weights, cmap=heat(), vmin=0, vmax=max(highest, 1e-12), extent=extent)


def heat() -> Any:
    """Returns the colours of weights: one hue, the more opaque the larger a weight is."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("heat", [(*_HEAT, 0.0), (*_HEAT, 0.9)])


def add_scale(figure: "Figure", axes: Any, highest: float) -> None:
    """Adds a bar that says what the colours of the pictures mean."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    colours = ScalarMappable(Normalize(0, max(highest, 1e-12)), heat())
    scale = figure.colorbar(colours, ax=axes, ticks=(0, highest), aspect=40)
    scale.set_ticklabels(["0", f"{highest:.2g}"], fontsize=8)
    scale.set_label("weight,\none scale for all", fontsize=8, labelpad=2)
