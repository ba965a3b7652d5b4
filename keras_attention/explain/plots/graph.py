"""Figures of attention in graphs."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from keras import ops

from keras_attention.explain.plots import figures, lettering

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def node_attention(
    edges: Any,
    weights: Any,
    node: int,
    labels: Any,
    class_names: Sequence[str],
    *,
    title: str = "",
) -> "Figure":
    """Draws a node among its neighbours, with a line to each, as wide as the attention to it.

    In the node stands the share that is left for itself.

    Args:
        edges: `(E, 2)`, (source, target), padded with -1.
        weights: `(N, E)` or `(E,)` attention weights; the mean over heads is drawn.
        node: index of the node.
        labels: `(nodes,)` class of each node, which colours it.
        class_names: names of the classes.
        title: of the figure.

    Raises:
        ValueError: no edge leads to the node.
    """
    edges = np.asarray(ops.convert_to_numpy(edges))
    weights = np.asarray(ops.convert_to_numpy(weights), np.float32)
    weights = weights.mean(axis=0) if weights.ndim == 2 else weights
    incoming = np.flatnonzero((edges[:, 1] == node) & (edges[:, 0] != node))
    if not len(incoming):
        raise ValueError(f"`node` must have neighbours. Received: node={node}")
    order = incoming[np.argsort(-weights[incoming], kind="stable")]
    angles = np.pi / 2 - 2 * np.pi * np.arange(len(order)) / len(order)
    figure = figures.create(6.4, 4.6)
    ax = figure.subplots()
    from matplotlib import colormaps

    colours = colormaps["tab10"]
    widest = 10 / max(float(weights[incoming].max()), 1e-6)
    shown = sorted({int(labels[node]), *(int(labels[edges[i, 0]]) for i in order)})
    for i, angle in zip(order, angles, strict=True):
        x, y, source = np.cos(angle), np.sin(angle), int(edges[i, 0])
        ax.plot([0, x], [0, y], color="0.35", linewidth=widest * float(weights[i]), zorder=1)
        ax.scatter([x], [y], s=220, color=colours(int(labels[source]) % 10), zorder=2)
        ax.text(1.22 * x, 1.22 * y, f"{weights[i]:.2f}", ha="center", va="center", fontsize=8)
    ax.scatter([0], [0], s=420, color=colours(int(labels[node]) % 10), edgecolors="black", zorder=3)
    own = 1 - weights[incoming].sum()
    ax.text(0, 0, f"{own:.2f}", ha="center", va="center", fontsize=8, zorder=4)
    for label in shown:
        ax.scatter(
            [], [], s=80, color=colours(label % 10), label=lettering.entry(class_names[label])
        )
    figure.legend(loc="outside right center", frameon=False, fontsize=8)
    ax.set_xlim(-1.45, 1.45)
    ax.set_ylim(-1.45, 1.45)
    ax.set_aspect("equal")
    ax.set_axis_off()
    figures.set_title(figure, title)
    figures.set_caption(
        figure,
        "In the middle the node that reads, around it those that it reads: the wider a line, the "
        "larger the weight, which stands beside; in the middle what is left for itself. Colours "
        "are "
        "the answers of the model.",
    )
    return figure
