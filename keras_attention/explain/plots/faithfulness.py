"""Figures of faithfulness: the output of a model as its input loses or gains elements."""

from typing import TYPE_CHECKING

import numpy as np

from keras_attention.explain.evaluation.ranks import RANDOM, REVERSED
from keras_attention.explain.plots import figures

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from keras_attention.explain.evaluation.measured import Faithfulness


def faithfulness_curves(result: "Faithfulness", *, title: str = "") -> "Figure":
    """Draws deletion and insertion: the probability of the target by the fraction of elements.

    It is the mean over inputs, in a band of one standard error.

    Random rankings are dashed, reversed ones dotted in the colour of their method.

    Args:
        result: of `ka.explain.faithfulness`.
        title: of the figure; a question if empty.
    """
    from matplotlib import colormaps

    figure = figures.create(9.6, 4.2)
    axes = figure.subplots(1, 2, sharey=True)
    palette = colormaps["tab10"]
    colours = {name: palette(i % palette.N) for i, name in enumerate(result.explanations)}
    for ax, kind, best in zip(axes, ("deletion", "insertion"), ("lower", "higher"), strict=True):
        for name, measured in result.measured.items():
            values = getattr(measured, f"{kind}_curve")
            x, mean = np.linspace(0, 1, values.shape[1]), values.mean(axis=0)
            method = name.removesuffix(REVERSED)
            colour, style = colours.get(method, "black"), "-"
            if name == RANDOM or name.endswith(REVERSED):
                style = "--" if name == RANDOM else ":"
            label = None if name.endswith(REVERSED) else name.replace("_", " ")
            width = 1.0 if style == ":" else 1.8
            ax.plot(x, mean, color=colour, linestyle=style, linewidth=width, label=label)
            if style != ":" and len(values) > 1:
                error = values.std(axis=0, ddof=1) / np.sqrt(len(values))
                ax.fill_between(x, mean - error, mean + error, color=colour, alpha=0.15, lw=0)
        ax.set_title(f"{kind}: {best} is better", fontsize=10)
        ax.set_xlim(0, 1)
        ax.grid(alpha=0.3)
    axes[0].set_xlabel("share of elements taken away, most important first", fontsize=9)
    axes[1].set_xlabel("share of elements put in, most important first", fontsize=9)
    axes[0].set_ylabel("probability of the target", fontsize=9)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right center", frameon=False)
    figures.set_title(figure, title or "Do the scores tell what the model reads?")
    figures.set_caption(
        figure,
        f"Mean over {len(result.whole)} inputs, in a band of one standard error. A method tells "
        f"what "
        "the model reads where it is better than random, which is dashed. Dotted: its ranking "
        "reversed.",
    )
    return figure
