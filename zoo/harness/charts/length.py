"""Charts of what depends on the length of a sequence."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from keras_attention.explain.plots import figures, lettering

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def by_length(
    panels: Mapping[str, Mapping[str, Mapping[int, float]]],
    *,
    title: str = "",
    length: str = "length",
) -> "Figure":
    """Draws a panel for each quantity, with a line for each model.

    Args:
        panels: by what the quantity is called and the name of the model, values by length.
        title: of the figure.
        length: what the length is called.

    Raises:
        ValueError: there is nothing to draw.
    """
    if not panels or not all(panels.values()):
        raise ValueError(f"Each panel must have a line. Received: panels={dict(panels)}")
    figure = figures.create(4.8 * len(panels), 3.4)
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for ax, (quantity, lines) in zip(axes, panels.items(), strict=True):
        for name, values in lines.items():
            lengths = sorted(values)
            ax.plot(
                lengths, [values[n] for n in lengths], marker="o", ms=4, label=lettering.entry(name)
            )
        ax.set_xlabel(lettering.name(length))
        ax.set_ylabel(lettering.name(quantity))
        ax.set_ylim(bottom=0)
        ax.grid(alpha=0.3)
        ax.legend(frameon=False)
    figures.set_title(figure, title)
    return figure
