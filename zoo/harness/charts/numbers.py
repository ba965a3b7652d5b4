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


def residuals(truth: Any, predicted: Any, *, title: str, unit: str) -> "Figure":
    """Draws how far predicted numbers are off, by the number predicted and by how often.

    Args:
        truth, predicted: `(B,)` or `(B, 1)`.
        title: of the figure.
        unit: of the numbers.
    """
    truth, predicted = (np.asarray(values).reshape(-1) for values in (truth, predicted))
    errors = predicted - truth
    figure = figures.create(7.2, 3.6)
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(2, 1))
    for ax in (left, right):
        ax.axhline(0, color="0.5", linewidth=1)
    left.scatter(predicted, errors, s=3, alpha=0.3, linewidths=0)
    left.set_xlabel(f"predicted ({lettering.name(unit)})")
    left.set_ylabel("predicted - true")
    right.hist(errors, bins=40, orientation="horizontal", color="#2a788e")
    right.set_xlabel("rows")
    figures.set_title(figure, title)
    return figure
