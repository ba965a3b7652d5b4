"""Charts of taggers."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_attention.explain.plots import figures, lettering

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_ROW = 0.3  # inches
_LETTERS = 24  # of a name, which stands on both sides


def tag_scores(
    labels: Any, predictions: Any, class_names: Sequence[str], *, title: str = "F1 by tag"
) -> "Figure":
    """Draws F1 of each tag, the best first, and the tag that it is taken for most.

    Args:
        labels: `(B,)` true class indices.
        predictions: `(B,)` predicted class indices.
        class_names: names of the classes, in the order of the indices. Those without a label
            are left out.
        title: of the figure.
    """
    size = len(class_names)
    counts = np.zeros((size, size), dtype=int)
    np.add.at(counts, (np.asarray(labels), np.asarray(predictions)), 1)  # (true, predicted)
    right, support = counts.diagonal(), counts.sum(axis=1)
    f1 = 2 * right / np.maximum(1, support + counts.sum(axis=0))
    order = [i for i in np.argsort(f1, kind="stable") if support[i]]
    figure = figures.create(7.0, _ROW * len(order) + 1.1)
    ax = figure.subplots()
    ax.barh(range(len(order)), f1[order], color="#4477aa")
    for row, i in enumerate(order):
        others = np.where(np.arange(size) == i, -1, counts[i])
        taken = int(others.argmax())
        wrong = (
            f", {counts[i, taken]} as {lettering.name(class_names[taken], _LETTERS)}"
            if counts[i, taken]
            else ""
        )
        ax.text(1.01, row, f"{right[i]} of {support[i]}{wrong}", va="center", fontsize=8)
    figures.name_ticks(
        ax.yaxis, [lettering.name(class_names[i], _LETTERS) for i in order], room=_ROW
    )
    ax.set_xlim(0, 1)
    ax.set_xlabel("F1 (beside it: how many of its words are found, and the most frequent mistake)")
    ax.spines[["top", "right"]].set_visible(False)
    figures.set_title(figure, title, size=12)
    return figure
