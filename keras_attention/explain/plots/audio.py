"""Figures of attention to recordings."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from keras import ops

from keras_attention.explain.plots import figures, lettering
from keras_attention.explain.plots.image import add_scale, heat

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def spectrogram_attention(
    spectrograms: Any,
    maps: Mapping[str, Any],
    titles: Sequence[str] = (),
    *,
    frames: Sequence[int] = (),
    seconds: float | None = None,
    title: str = "",
) -> "Figure":
    """Draws spectrograms above the weights of their patches: a column per recording, a row per map.

    Args:
        spectrograms: `(B, frames, M)` or `(B, frames, M, 1)`; drawn with time from left to right
            and low bands below, on one scale.
        maps: by name, weights `(B, rows, columns)` of the patches, rows in time and columns in
            frequency; all have one scale, from no weight to the largest of all.
        titles: B titles.
        frames: B numbers of frames that are not padding; what is beyond is not drawn.
        seconds: from frame to frame, for the time axis; frames if `None`.
        title: of the figure.

    Raises:
        ValueError: another number of titles, of frames or of rows of a map than of recordings.
    """
    pictures = np.asarray(ops.convert_to_numpy(spectrograms), np.float32)
    pictures = pictures[..., 0] if pictures.ndim == 4 else pictures
    weights = {name: np.asarray(ops.convert_to_numpy(value)) for name, value in maps.items()}
    count, length, bands = pictures.shape
    frames = list(frames) or [length] * count
    for name, value in {**weights, "titles": titles or frames, "frames": frames}.items():
        if len(value) != count:
            raise ValueError(f"{name!r} must have one entry for each of the {count} recordings.")
    figure = figures.create(1.5 * count + 0.9, 1.15 * (1 + len(weights)) + 0.6)
    axes = figure.subplots(1 + len(weights), count, squeeze=False, sharex="col")
    lowest, highest = pictures.min(), pictures.max()
    pale = highest + 1.6 * (highest - lowest)  # so that the darkest is a light grey
    largest = max(float(value.max(initial=0)) for value in weights.values())
    for column, valid in enumerate(frames):
        unit = seconds or 1
        whole = {"origin": "lower", "aspect": "auto", "extent": (0, length * unit, 0, bands)}
        picture = pictures[column].T
        axes[0, column].imshow(picture, cmap="gray_r", vmin=lowest, vmax=highest, **whole)
        if titles:
            axes[0, column].set_title(lettering.caption(titles[column]), fontsize=8)
        for row, value in enumerate(weights.values(), 1):
            ax = axes[row, column]
            ax.imshow(picture, cmap="gray_r", vmin=lowest, vmax=pale, **whole)
            ax.imshow(value[column].T, cmap=heat(), vmin=0, vmax=max(largest, 1e-12), **whole)
        axes[-1, column].set_xlim(0, valid * unit)
        axes[-1, column].tick_params(labelsize=7)
        axes[-1, column].set_xlabel("frame" if seconds is None else "seconds", fontsize=8)
    for ax, name in zip(axes[:, 0], ["spectrogram", *weights], strict=True):
        ax.set_ylabel(lettering.name(name), fontsize=8)
    for ax in axes.flat:
        ax.set_yticks([])
    add_scale(figure, axes[1:], largest)
    figures.set_title(figure, title)
    figures.set_caption(
        figure,
        "Above the spectrograms: time to the right, low tones below, dark where it is loud. Below "
        "them pale, with the patches that a layer reads in red: the darker, the more, on one scale "
        "for all.",
    )
    return figure
