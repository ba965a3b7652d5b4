"""Figures of attention to the columns of a table."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import ops

from keras_attention import inference
from keras_attention.explain.plots import figures, lettering
from keras_attention.prediction import encode
from keras_attention.scope import capture

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_CELL = 0.45  # inches
_WIDEST = 30.0  # inches of a row of cells


def column_attention(model: keras.Model, rows: Any, columns: Sequence[str]) -> "Figure":
    """Draws how much the class token attends to itself and to each column: a row per head.

    Args:
        model: whose blocks attend between a class token and the columns.
        rows: raw rows, over which the weights are averaged.
        columns: names of the columns, in the order of their tokens.

    Raises:
        ValueError: the model's tokens are not as many as the columns.
    """
    encoded = encode(model, rows)
    weights_by_block = _read_by_class_token(model, encoded, columns)
    names = ["(itself)", *columns]
    heads = sum(map(len, weights_by_block.values()))
    cell = min(_CELL, _WIDEST / len(names))
    width = cell * len(names)
    figure = figures.create(width + 2.4, 0.7 * _CELL * heads + 0.4 * len(weights_by_block) + 2.2)
    axes = figure.subplots(len(weights_by_block), squeeze=False, sharex=True)[:, 0]
    highest = max(float(weights.max()) for weights in weights_by_block.values())
    for ax, (path, weights) in zip(axes, weights_by_block.items(), strict=True):
        image = figures.draw_heatmap(ax, weights, highest, cmap="viridis", room=cell)
        ax.set_aspect("auto")
        ax.set_title(lettering.name(path), fontsize=9)
        figures.name_ticks(ax.yaxis, [f"head {head + 1}" for head in range(len(weights))])
        left_out = figures.name_ticks(ax.xaxis, names, room=cell)
        ax.label_outer()
    title = f"What the class token attends to, mean over {_count(encoded):,} rows"
    figures.set_title(figure, title)
    figure.colorbar(image, ax=list(axes), label="weight, one scale for all", shrink=0.8, pad=0.02)
    figures.set_caption(
        figure,
        "The class token is put in front of the columns, and the answer is read from it. Each "
        "row is "
        "a head, and its weights sum to 1.",
        left_out,
    )
    return figure


def column_importance(
    model: keras.Model,
    rows: Mapping[str, np.ndarray],
    columns: Sequence[str],
    error: Callable[[np.ndarray], float],
    *,
    label: str,
    seed: int = 0,
) -> "Figure":
    """Draws the attention of the class token to each column, the mean over blocks and heads, beside
    the permutation importance of the column (Breiman, 2001,
    https://doi.org/10.1023/A:1010933404324): how much the error grows when the column's values are
    permuted among the rows.

    The two agree where attention carries the answer, which it need not.

    Args:
        model, columns: as `column_attention` has them.
        rows: raw values by column.
        error: of the model's outputs for `rows`.
        label: name of that error.
        seed: of the permutations.
    """
    weights_by_block = _read_by_class_token(model, encode(model, rows), columns)
    attention = np.mean([weights.mean(axis=0)[1:] for weights in weights_by_block.values()], axis=0)
    rng = np.random.default_rng(seed)

    def error_of(values: Mapping[str, np.ndarray]) -> float:
        return error(inference.outputs(model, encode(model, values), batch_size=256))

    error_of_all = error_of(rows)
    growth = [
        error_of({**rows, name: rng.permutation(rows[name])}) - error_of_all for name in columns
    ]
    order = np.argsort(growth)
    figure = figures.create(8.0, 0.28 * len(columns) + 1.4)
    left, right = figure.subplots(1, 2, sharey=True)
    for ax, values, name in (
        (left, attention, "attention of the class token"),
        (right, np.array(growth), f"growth of {label}, permuted"),
    ):
        ax.barh(range(len(columns)), values[order], color="#2a788e")
        ax.set_xlabel(lettering.name(name, 60))
        ax.locator_params(axis="x", nbins=5)
        ax.tick_params(axis="x", labelsize=8)
        ax.grid(axis="x", alpha=0.3)
    figures.name_ticks(left.yaxis, [columns[i] for i in order])
    title = f"Attention and permutation importance, {len(rows[columns[0]]):,} rows"
    figures.set_title(figure, title)
    figures.set_caption(
        figure,
        "Left how much is read of a column, right how much worse the model is without what it "
        "says, "
        "its values permuted among rows. The two agree where attention carries the answer.",
    )
    return figure


def _read_by_class_token(
    model: keras.Model, encoded: Any, columns: Sequence[str]
) -> dict[str, np.ndarray]:
    """Returns by block the weights `(N, S)` of the first token, the mean over the rows."""
    with capture() as maps:
        model(keras.tree.map_structure(ops.convert_to_tensor, encoded), training=False)
    weights_by_block = {
        path.removesuffix("/attention"): np.asarray(ops.convert_to_numpy(weights), np.float32).mean(
            axis=0
        )[:, 0]
        for path, weights in maps.items()
    }
    for path, weights in weights_by_block.items():
        if weights.shape[1] != 1 + len(columns):
            raise ValueError(
                f"`columns` must name the {weights.shape[1] - 1} columns that {path!r} attends "
                f"to. Received: {len(columns)} names"
            )
    return weights_by_block


def _count(encoded: Any) -> int:
    return len(keras.tree.flatten(encoded)[0])
