"""Figures of attention weights, head by head."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from keras import ops

from keras_attention.explain.plots import figures, lettering

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def attention_heads(
    maps: Mapping[str, Any],
    labels: Sequence[str] = (),
    *,
    key_labels: Sequence[str] | None = None,
    title: str = "Attention weights",
) -> "Figure":
    """Draws heatmaps of attention weights: a row per layer, a column per head, one colour scale.

    ```python
    with ka.capture() as maps:
        model(x)
    attention_heads(maps, ["sepal length", ...], title="Mean over 30 test samples")
    ```

    Args:
        maps: weights by layer, `(N, T, S)`, or `(B, N, T, S)`, of which the mean over B is
            drawn.
        labels: T names of the query positions, and of the key positions if S = T.
        key_labels: S names of the key positions, for cross-attention.
        title: what was averaged over.

    Raises:
        ValueError: there are no maps, a map has another rank, or the labels do not fit.
    """
    if not maps:
        raise ValueError(
            "There are no attention maps to draw. Call the model itself, not `predict`, inside "
            "`with ka.capture() as maps:`."
        )
    layers = {  # (N, T, S) of each
        path: _batch(path, weights).astype(np.float32).mean(axis=0)
        for path, weights in maps.items()
    }
    key_labels = labels if key_labels is None else key_labels
    for path, weights in layers.items():
        for name, given, size in (
            ("labels", labels, weights.shape[1]),
            ("key_labels", key_labels, weights.shape[2]),
        ):
            if len(given) not in (0, size):
                raise ValueError(
                    f"`{name}` must name the {size} positions of {path!r}. Received: "
                    f"{len(given)} names"
                )

    heads = max(weights.shape[0] for weights in layers.values())
    columns = max(weights.shape[2] for weights in layers.values())
    width = float(np.clip(0.45 * columns, 1.8, 4.0))  # of a heatmap, in inches
    height = width * max(weights.shape[1] / weights.shape[2] for weights in layers.values())
    names = figures.measure_names([*labels, *key_labels])
    figure = figures.create(
        heads * (width + 0.15) + names + 1.4, len(layers) * (height + 0.45) + names + 0.7
    )
    axes = figure.subplots(len(layers), heads, squeeze=False, sharex="col", sharey="row")
    highest = max(float(weights.max()) for weights in layers.values())
    for row, (path, weights) in zip(axes, layers.items(), strict=True):
        for head, ax in enumerate(row):
            if head >= len(weights):
                ax.set_axis_off()
                continue
            image = figures.draw_heatmap(
                ax, weights[head], highest, cmap="viridis", room=width / columns
            )
            ax.set_title(f"{lettering.name(path)}, head {head + 1}", fontsize=9)
            of_rows = figures.name_ticks(ax.yaxis, labels, room=width / columns)
            of_columns = figures.name_ticks(ax.xaxis, key_labels, room=width / columns)
            ax.label_outer(remove_inner_ticks=True)
    figures.set_title(figure, title, size=12)
    figure.colorbar(image, ax=axes, label="weight, one scale for all", shrink=0.8, pad=0.02)
    figures.set_caption(
        figure,
        "A row is a position that reads (a query), a column one that is read (a key); a row's "
        "weights sum to 1. Bright cells are read most.",
        of_rows,
        of_columns,
    )
    return figure


def head_overview(
    maps: Mapping[str, Any],
    *,
    mask: Any = None,
    title: str = "What kind of attention each head has",
) -> "Figure":
    """Draws two numbers for each head of each layer: how many keys its queries read, and how far
    away these are.

    The number of keys is `exp(entropy)` of a query's weights: 1 where a query reads one key, S
    where it reads all alike. The distance between query and key is in positions, weighted, and
    there is one in self-attention alone. Both are means over the queries that read something.

    Args:
        maps: weights by layer, `(N, T, S)` or `(B, N, T, S)`.
        mask: `(B, T)`, false where a query is padding.
        title: of the figure.

    Raises:
        ValueError: there are no maps, or a map has another rank.
    """
    if not maps:
        raise ValueError("There are no attention maps to draw.")
    heads = max(np.shape(weights)[-3] for weights in maps.values())
    keys_read, distances = (np.full((len(maps), heads), np.nan, np.float32) for _ in range(2))
    for row, (path, weights) in enumerate(maps.items()):
        weights = _batch(path, weights).astype(np.float64)
        reads = weights.sum(axis=-1) > 0.5  # (B, N, T)
        if mask is not None and np.shape(mask)[1] == weights.shape[2]:
            reads = reads & np.asarray(mask, bool)[:, None]
        count = np.maximum(reads.sum(axis=(0, 2)), 1)
        keys = np.exp(-(weights * np.log(np.maximum(weights, 1e-30))).sum(axis=-1))
        keys_read[row, : weights.shape[1]] = (keys * reads).sum(axis=(0, 2)) / count
        if weights.shape[2] == weights.shape[3]:
            steps = np.arange(weights.shape[2])
            away = (weights * np.abs(steps[:, None] - steps)).sum(axis=-1)
            distances[row, : weights.shape[1]] = (away * reads).sum(axis=(0, 2)) / count
    side = float(np.clip(0.55 * heads, 1.6, 6.0))
    names = figures.measure_names(list(maps))
    figure = figures.create(2 * side + names + 2.6, side / heads * len(maps) + 1.6)
    panels = {"keys read (exp of entropy)": keys_read, "positions away": distances}
    for ax, (name, values) in zip(figure.subplots(1, 2, sharey=True), panels.items(), strict=True):
        highest = max(float(np.nanmax(values, initial=0.0)), 1e-6)
        image = figures.draw_heatmap(ax, values, highest, cmap="viridis", room=side / heads)
        ax.set_title(name, fontsize=9)
        ax.set_xlabel("head", fontsize=9)
        figures.name_ticks(ax.xaxis, [str(i + 1) for i in range(heads)], room=side / heads)
        figures.name_ticks(ax.yaxis, list(maps), room=side / heads)
        figure.colorbar(image, ax=ax, shrink=0.8)
    figures.set_title(figure, title, size=12)
    figures.set_caption(
        figure,
        "1 key read: the head looks at one position; 0 positions away: at itself. Empty where "
        "there "
        "is no such head, or rows and columns are of different sequences.",
    )
    return figure


def _batch(path: str, weights: Any) -> np.ndarray:
    """Returns weights `(B, N, T, S)`, also of those of one input, `(N, T, S)`."""
    weights = np.asarray(ops.convert_to_numpy(weights))
    if weights.ndim not in (3, 4):
        raise ValueError(
            "Attention maps must have shape (N, T, S) or (B, N, T, S). Received: "
            f"{path!r} of shape {weights.shape}"
        )
    return weights[None] if weights.ndim == 3 else weights
