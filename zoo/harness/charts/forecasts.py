"""Charts of forecasts."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_attention.explain.plots import figures, lettering

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def forecast(
    past: Any,
    truth: Any,
    forecasts: Mapping[str, Any],
    names: Sequence[str],
    *,
    title: str = "",
    step: str = "step",
) -> "Figure":
    """Draws what was known, what came and what was forecast: a picture per series.

    Args:
        past: `(T, C)`.
        truth: `(H, C)`.
        forecasts: by name, `(H, C)`.
        names: C names, with their units if known.
        title: of the figure.
        step: what a step is called.

    Raises:
        ValueError: the numbers of series or of steps do not agree.
    """
    past, truth = np.asarray(past), np.asarray(truth)
    lines = {name: np.asarray(value) for name, value in forecasts.items()}
    for name, value in {"past": past[:1], "truth": truth[:1], **lines}.items():
        expected = (1 if name in ("past", "truth") else len(truth), len(names))
        if value.shape != expected:
            raise ValueError(
                f"{name!r} must have {expected[1]} series, and a forecast {len(truth)} steps. "
                f"Received: shape {value.shape}"
            )
    columns = min(2, len(names))
    rows = -(-len(names) // columns)
    figure = figures.create(5.2 * columns, 1.5 * rows + 0.9)
    axes = figure.subplots(rows, columns, squeeze=False, sharex=True)
    ahead = np.arange(len(truth))
    for series, (ax, name) in enumerate(zip(axes.flat, names, strict=False)):
        ax.plot(np.arange(-len(past), 0), past[:, series], color="0.5", lw=1, label="known")
        ax.plot(ahead, truth[:, series], color="black", lw=1, label="truth")
        for label, value in lines.items():
            ax.plot(ahead, value[:, series], lw=1.4, label=lettering.entry(label))
        ax.axvline(0, color="0.8", lw=0.8, zorder=0)
        ax.set_ylabel(lettering.name(name), fontsize=8)
        ax.tick_params(labelsize=7)
    for ax in axes.flat[len(names) :]:
        ax.set_axis_off()
    for ax in axes.flat[len(names) - columns : len(names)]:  # the lowest of each column
        ax.set_xlabel(f"{lettering.name(step)} from now", fontsize=8)
        ax.tick_params(labelbottom=True)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    figures.set_title(figure, title)
    return figure


def error_by_step(errors: Mapping[str, Any], *, title: str = "", step: str = "step") -> "Figure":
    """Draws the error by how far ahead the forecast is.

    Args:
        errors: by name, `(H,)`.
        title: of the figure.
        step: what a step is called.
    """
    figure = figures.create(5.6, 3.4)
    ax = figure.subplots()
    for name, value in errors.items():
        ax.plot(np.arange(1, len(value) + 1), value, label=lettering.entry(name))
    ax.set_xlabel(f"{lettering.name(step)} ahead")
    ax.set_ylabel("mean squared error, standardised")
    ax.set_ylim(bottom=0)
    ax.grid(alpha=0.3)
    ax.legend(frameon=False)
    figures.set_title(figure, title)
    return figure
