"""Figures of attention and of training, as one would put them in a paper.

Every function returns a `matplotlib.figure.Figure` that belongs to nobody else (no `pyplot`
state, no display needed): `figure.savefig("attention.png")`.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from keras import ops

from keras_attention.explain.plots import lettering

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_NUMBER = 0.4  # inches that a cell needs to have its number written in it
_LABELS_UP_TO = 40  # ticks per side that can be read; of more, every second and so on has one
_LINE = 0.12  # inches that a line of a tick label takes
_LETTER = 0.075  # inches that a letter of a tick label takes


def attention_heads(
    maps: Mapping[str, Any],
    labels: Sequence[str] = (),
    *,
    key_labels: Sequence[str] | None = None,
    title: str = "Attention weights",
) -> "Figure":
    """Heatmaps of attention weights: a row per layer, a column per head, one colour scale.

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
    layers = {path: _mean_over_batch(path, weights) for path, weights in maps.items()}
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
    names = _room([*labels, *key_labels])
    figure = _figure(
        heads * (width + 0.15) + names + 1.4, len(layers) * (height + 0.45) + names + 0.7
    )
    axes = figure.subplots(len(layers), heads, squeeze=False, sharex="col", sharey="row")
    highest = max(float(weights.max()) for weights in layers.values())
    for row, (path, weights) in zip(axes, layers.items(), strict=True):
        for head, ax in enumerate(row):
            if head >= len(weights):
                ax.set_axis_off()
                continue
            image = _heatmap(ax, weights[head], highest, cmap="viridis", room=width / columns)
            ax.set_title(f"{lettering.name(path)}, head {head + 1}", fontsize=9)
            _name_ticks(ax.yaxis, labels, room=width / columns)
            _name_ticks(ax.xaxis, key_labels, room=width / columns)
            ax.label_outer(remove_inner_ticks=True)
    figure.supxlabel("attended to (key)", fontsize=10)
    figure.supylabel("attending (query)", fontsize=10)
    figure.suptitle(_wrapped(title, figure), fontsize=12)
    figure.colorbar(image, ax=axes, label="weight", shrink=0.8, pad=0.02)
    return figure


def head_overview(
    maps: Mapping[str, Any],
    *,
    mask: Any = None,
    title: str = "What kind of attention each head has",
) -> "Figure":
    """Two numbers for each head of each layer: how spread its weights are, and how far they reach.

    The spread is the entropy of a query's weights as a number of keys, `exp(entropy)`: 1 where a
    query reads one key, S where it reads all alike. The reach is the mean distance between query
    and key in positions, of self-attention alone. Both are means over queries that read something.

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
    spread, reach = (np.full((len(maps), heads), np.nan, np.float32) for _ in range(2))
    for row, (path, weights) in enumerate(maps.items()):
        weights = _batch(path, weights).astype(np.float64)
        reads = weights.sum(axis=-1) > 0.5  # (B, N, T)
        if mask is not None and np.shape(mask)[1] == weights.shape[2]:
            reads = reads & np.asarray(mask, bool)[:, None]
        count = np.maximum(reads.sum(axis=(0, 2)), 1)
        keys = np.exp(-(weights * np.log(np.maximum(weights, 1e-30))).sum(axis=-1))
        spread[row, : weights.shape[1]] = (keys * reads).sum(axis=(0, 2)) / count
        if weights.shape[2] == weights.shape[3]:
            steps = np.arange(weights.shape[2])
            distance = (weights * np.abs(steps[:, None] - steps)).sum(axis=-1)
            reach[row, : weights.shape[1]] = (distance * reads).sum(axis=(0, 2)) / count
    side = float(np.clip(0.55 * heads, 1.6, 6.0))
    names = _room(list(maps))
    figure = _figure(2 * side + names + 2.6, side / heads * len(maps) + 1.6)
    panels = {"keys read (exp of entropy)": spread, "positions away": reach}
    for ax, (name, values) in zip(figure.subplots(1, 2, sharey=True), panels.items(), strict=True):
        highest = max(float(np.nanmax(values, initial=0.0)), 1e-6)
        image = _heatmap(ax, values, highest, cmap="viridis", room=side / heads)
        ax.set_title(name, fontsize=9)
        ax.set_xlabel("head", fontsize=9)
        _name_ticks(ax.xaxis, [str(i + 1) for i in range(heads)], room=side / heads)
        _name_ticks(ax.yaxis, list(maps), room=side / heads)
        figure.colorbar(image, ax=ax, shrink=0.8)
    figure.suptitle(_wrapped(title, figure), fontsize=12)
    return figure


def training_curves(
    history: Mapping[str, Sequence[float]], *, held_out: str = "validation"
) -> "Figure":
    """Loss and metrics by epoch, of the training split and of the held-out one.

    Args:
        history: `History.history` of `model.fit`: `{"loss": ..., "val_loss": ..., ...}`.
        held_out: name of the split whose values are `val_...`.
    """
    names = [name for name in history if not name.startswith("val_") and name != "learning_rate"]
    names.sort(key=lambda name: name != "loss")
    figure = _figure(4.6 * len(names), 3.4)
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
    """What several trainings of each kind came to, epoch by epoch: their mean as a line, and from
    the lowest to the highest of them as a band.

    Args:
        curves: by kind, the values of each training; of different lengths, the shortest counts.
        label: what they are.
        title: of the figure.

    Raises:
        ValueError: there are no curves.
    """
    if not curves or not all(curves.values()):
        raise ValueError(f"`curves` must have trainings of each kind. Received: {dict(curves)}")
    figure = _figure(6.4, 3.8)
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
    if title:
        figure.suptitle(_wrapped(title, figure), fontsize=11)
    return figure


def confusion_matrix(
    labels: Any, predictions: Any, class_names: Sequence[str], *, title: str = "Confusion matrix"
) -> "Figure":
    """How often each class was taken for each other.

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
    names = _room(class_names)
    figure = _figure(side + names + 1.3, side + names + 0.6)
    ax = figure.subplots()
    image = _heatmap(ax, counts, max(1, counts.max()), cmap="Blues", room=side / size)
    _name_ticks(ax.xaxis, class_names, room=side / size)
    _name_ticks(ax.yaxis, class_names, room=side / size)
    ax.set_xlabel("predicted")
    ax.set_ylabel("true")
    figure.suptitle(_wrapped(title, figure), fontsize=12)
    from matplotlib.ticker import MaxNLocator

    whole = MaxNLocator(integer=True)
    figure.colorbar(image, ax=ax, label="samples", shrink=0.8, ticks=whole)
    return figure


def _figure(width: float, height: float) -> "Figure":
    try:
        from keras_attention.explain.plots.literal_figure import LiteralFigure
    except ImportError as error:
        raise ImportError(
            'Figures need matplotlib: python -m pip install "keras-attention[plots]"'
        ) from error
    return LiteralFigure(figsize=(width, height), layout="constrained")


def _mean_over_batch(path: str, weights: Any) -> np.ndarray:
    return _batch(path, weights).astype(np.float32).mean(axis=0)  # (N, T, S)


def _batch(path: str, weights: Any) -> np.ndarray:
    """Weights `(B, N, T, S)`, also of one input."""
    weights = np.asarray(ops.convert_to_numpy(weights))
    if weights.ndim not in (3, 4):
        raise ValueError(
            "Attention maps must have shape (N, T, S) or (B, N, T, S). Received: "
            f"{path!r} of shape {weights.shape}"
        )
    return weights[None] if weights.ndim == 3 else weights


def _wrapped(title: str, figure: "Figure") -> str:
    """The title in lines that fit the figure; no layout engine of matplotlib does that."""
    return lettering.title(title, int(figure.get_figwidth() / (1.4 * _LETTER)))


def _lightness(colour: Any) -> float:
    """How light a colour looks, 0 to 1."""
    red, green, blue, _ = colour
    return 0.299 * red + 0.587 * green + 0.114 * blue


def _heatmap(ax: "Axes", values: np.ndarray, highest: float, *, cmap: str, room: float) -> Any:
    """Cells from 0 to `highest`, with their numbers in them if there is `room` (inches)."""
    image = ax.imshow(values, vmin=0, vmax=highest, cmap=cmap)
    if room >= _NUMBER:
        for (row, column), value in np.ndenumerate(values):
            if np.isnan(value):
                continue
            dark = _lightness(image.cmap(image.norm(value))) < 0.5
            ax.text(
                column,
                row,
                f"{value:.2f}" if values.dtype.kind == "f" else f"{value}",
                ha="center",
                va="center",
                fontsize=8,
                color="white" if dark else "black",
            )
    return image


def _room(names: Sequence[str]) -> float:
    """Inches that the longest of the names takes beside an axis."""
    return _LETTER * max((len(lettering.name(name)) for name in names), default=0)


def _name_ticks(axis: Any, names: Sequence[str], *, room: float = np.inf) -> None:
    """Names the ticks: all, or every second, third and so on where a cell's `room` (inches) is too
    small for a line; upright below a picture, where a name is longer than its cell."""
    if not names:
        return
    step = max(-(-len(names) // _LABELS_UP_TO), math.ceil(_LINE / room))
    shown = range(0, len(names), step)
    labels = [lettering.name(names[i]) for i in shown]
    axis.set_ticks(shown, labels, fontsize=8, parse_math=False, usetex=False)
    if axis.axis_name == "x" and _room(labels) > step * room:
        axis.set_tick_params(rotation=90)
