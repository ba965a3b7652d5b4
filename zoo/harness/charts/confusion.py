"""Charts of which class is taken for which."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_attention.explain.plots import figures, lettering

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def confusion_matrix(
    labels: Any, predictions: Any, class_names: Sequence[str], *, title: str = "Confusion matrix"
) -> "Figure":
    """Draws how often each class was taken for each other.

    Args:
        labels: `(B,)` true class indices.
        predictions: `(B,)` predicted class indices.
        class_names: names of the classes, in the order of the indices.
        title: of the figure.
    """
    size = len(class_names)
    counts = np.zeros((size, size), dtype=int)
    np.add.at(counts, (np.asarray(labels), np.asarray(predictions)), 1)  # (true, predicted)
    side = float(np.clip(0.55 * size, 2.6, 12.0))
    names = figures.measure_names(class_names)
    figure = figures.create(side + names + 1.3, side + names + 0.6)
    ax = figure.subplots()
    image = figures.draw_heatmap(ax, counts, max(1, counts.max()), cmap="Blues", room=side / size)
    figures.name_ticks(ax.xaxis, class_names, room=side / size)
    figures.name_ticks(ax.yaxis, class_names, room=side / size)
    ax.set_xlabel("predicted")
    ax.set_ylabel("true")
    figures.set_title(figure, title, size=12)
    from matplotlib.ticker import MaxNLocator

    whole = MaxNLocator(integer=True)
    figure.colorbar(image, ax=ax, label="samples", shrink=0.8, ticks=whole)
    return figure


def confused_pairs(
    labels: Any,
    predictions: Any,
    class_names: Sequence[str],
    *,
    most: int = 20,
    title: str = "Most confused classes",
) -> "Figure":
    """Draws the pairs of classes that are taken for each other most often, where a confusion
    matrix would be too large to read.

    Args:
        labels: `(B,)` true class indices.
        predictions: `(B,)` predicted class indices.
        class_names: names of the classes, in the order of the indices.
        most: pairs that are drawn.
        title: of the figure.
    """
    labels, predictions = np.asarray(labels), np.asarray(predictions)
    wrong = labels != predictions
    pairs, counts = np.unique(
        np.stack([labels[wrong], predictions[wrong]]), axis=1, return_counts=True
    )
    order = np.argsort(-counts, kind="stable")[:most]
    of_class = np.bincount(labels, minlength=len(class_names))
    first, second = ([lettering.name(class_names[i], 19) for i in of] for of in pairs[:, order])
    names = [f"{a} \N{RIGHTWARDS ARROW} {b}" for a, b in zip(first, second, strict=True)]
    figure = figures.create(8.0, 0.24 * max(1, len(order)) + 1.2)
    ax = figure.subplots()
    from matplotlib.ticker import MaxNLocator

    bars = ax.barh(range(len(order)), counts[order], color="tab:blue")
    shares = [f"{counts[i]} of {of_class[pairs[0, i]]}" for i in order]
    ax.bar_label(bars, shares, padding=2, fontsize=8)
    figures.name_ticks(ax.yaxis, names)
    ax.invert_yaxis()
    ax.margins(x=0.12)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel("true \N{RIGHTWARDS ARROW} predicted, samples of the true class")
    figures.set_title(figure, title)
    return figure
