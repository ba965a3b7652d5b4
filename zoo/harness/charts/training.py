"""Charts of trainings, epoch by epoch."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from keras_attention.explain.plots import figures, lettering

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def training_curves(
    history: Mapping[str, Sequence[float]], *, held_out: str = "validation"
) -> "Figure":
    """Draws loss and metrics by epoch, of the training split and of the held-out one.

    Args:
        history: `History.history` of `model.fit`: `{"loss": ..., "val_loss": ..., ...}`.
        held_out: name of the split whose values are `val_...`.
    """
    names = [name for name in history if not name.startswith("val_") and name != "learning_rate"]
    names.sort(key=lambda name: name != "loss")
    figure = figures.create(4.6 * len(names), 3.4)
    for ax, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        for key, label, style in ((name, "training", "-"), (f"val_{name}", held_out, "--")):
            if key in history:
                ax.plot(
                    range(1, len(history[key]) + 1),
                    history[key],
                    style,
                    label=lettering.entry(label),
                )
        ax.set_xlabel("epoch")
        ax.set_ylabel(lettering.name(name.replace("_", " ")))
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.grid(alpha=0.3)
        ax.legend(frameon=False)
    return figure


def spread_curves(
    curves: Mapping[str, Sequence[Sequence[float]]], *, label: str, title: str = ""
) -> "Figure":
    """Draws several trainings of each kind, epoch by epoch: their mean as a line, and a band from
    the lowest to the highest of them.

    Args:
        curves: by kind, the values of each training; of different lengths, the shortest counts.
        label: name of these values.
        title: of the figure.

    Raises:
        ValueError: there are no curves.
    """
    if not curves or not all(curves.values()):
        raise ValueError(f"`curves` must have trainings of each kind. Received: {dict(curves)}")
    figure = figures.create(6.4, 3.8)
    ax = figure.subplots()
    for kind, runs in curves.items():
        shortest = min(map(len, runs))
        values = np.array([run[:shortest] for run in runs], np.float64)
        epochs = np.arange(1, shortest + 1)
        many = f"{len(runs)} seeds" if len(runs) > 1 else "1 seed"
        entry = f"{lettering.entry(kind)} ({many})"
        (line,) = ax.plot(epochs, values.mean(axis=0), label=entry)
        ax.fill_between(
            epochs, values.min(axis=0), values.max(axis=0), color=line.get_color(), alpha=0.2, lw=0
        )
    ax.set_xlabel("epoch")
    ax.set_ylabel(lettering.name(label))
    ax.grid(alpha=0.3)
    ax.legend(frameon=False, fontsize=8)
    figures.set_title(figure, title)
    return figure
