"""Charts of predicted numbers."""

from typing import TYPE_CHECKING, Any

import numpy as np

from keras_attention.explain.plots import figures, lettering

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def predictions(truth: Any, predicted: Any, *, title: str, unit: str) -> "Figure":
    """Draws predicted against true numbers, a point for each row.

    Args:
        truth, predicted: `(B,)` or `(B, 1)`.
        title: of the figure.
        unit: of the numbers.
    """
    truth, predicted = (np.asarray(values).reshape(-1) for values in (truth, predicted))
    figure = figures.create(4.8, 4.6)
    ax = figure.subplots()
    ends = [float(truth.min()), float(truth.max())]
    ax.plot(ends, ends, color="0.5", linewidth=1)
    ax.scatter(truth, predicted, s=3, alpha=0.3, linewidths=0)
    ax.set_xlabel(f"true ({lettering.name(unit)})")
    ax.set_ylabel(f"predicted ({lettering.name(unit)})")
    ax.set_aspect("equal")
    figures.set_title(figure, title)
    return figure
