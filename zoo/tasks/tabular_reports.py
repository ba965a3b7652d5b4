"""Errors, mistakes and pictures of models of tables."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from keras_attention.explain import plots
from keras_attention.prediction import encoders
from zoo.data import Splits
from zoo.harness import charts
from zoo.harness.experiment import predict

_DRAWN = 1000  # rows of pictures of attention
_MATRIX = 30  # classes of a confusion matrix that can be read


@dataclass(frozen=True)
class Scale:
    """What standardised numbers stand for.

    Attributes:
        offset, scale: mean and standard deviation of the training data.
        unit: of numbers in reports, or what they are.
    """

    offset: float
    scale: float
    unit: str

    def standardize(self, y: np.ndarray) -> np.ndarray:
        """Returns standardised numbers, float32."""
        return ((y - self.offset) / self.scale).astype(np.float32)

    def restore(self, y: np.ndarray) -> np.ndarray:
        """Returns the numbers that standardised ones stand for."""
        return np.asarray(y, np.float64) * self.scale + self.offset


def measure_errors(model: keras.Model, splits: Splits, *, scale: Scale) -> dict[str, float]:
    """Returns errors on the test data in the unit of the target, and the share of the variance
    that is explained."""
    y = splits.test[1].astype(np.float64)
    error = predict(model, splits.test, batch_size=512) - y
    return {
        "rmse": float(np.sqrt(np.mean(error**2)) * scale.scale),
        "mae": float(np.mean(np.abs(error)) * scale.scale),
        "r2": float(1 - np.mean(error**2) / max(float(np.var(y)), 1e-12)),
    }


def find_mistakes(
    model: keras.Model, splits: Splits, *, target: str, most: int = 50
) -> list[dict[str, Any]]:
    """Returns the test rows whose wrong class the model is surest of."""
    x, y = splits.test
    logits = predict(model, splits.test, batch_size=512).astype("float32")
    probabilities = keras.ops.convert_to_numpy(keras.ops.softmax(logits))
    predicted, sure = probabilities.argmax(axis=-1), probabilities.max(axis=-1)
    wrong = np.flatnonzero(predicted != y)
    names = splits.class_names
    return [
        {
            **_row(x, splits, row),
            target: names[y[row]],
            f"{target} (predicted)": names[predicted[row]],
            "(probability)": round(float(sure[row]), 4),
        }
        for row in wrong[np.argsort(-sure[wrong], kind="stable")][:most]
    ]


def find_errors(
    model: keras.Model, splits: Splits, *, target: str, scale: Scale, most: int = 50
) -> list[dict[str, Any]]:
    """Returns the test rows with the largest errors."""
    x, y = splits.test
    truth = scale.restore(y)[:, 0]
    predicted = scale.restore(predict(model, splits.test, batch_size=512))[:, 0]
    order = np.argsort(-np.abs(predicted - truth), kind="stable")[:most]
    return [
        {
            **_row(x, splits, row),
            target: float(f"{truth[row]:.7g}"),
            f"{target} (predicted)": float(f"{predicted[row]:.7g}"),
            "(error)": float(f"{predicted[row] - truth[row]:.4g}"),
        }
        for row in order
    ]


def _row(x: Any, splits: Splits, row: int) -> dict[str, Any]:
    """Returns a raw row by column, of a mapping or of a matrix; empty where a number is missing."""
    columns = x if isinstance(x, Mapping) else dict(zip(splits.feature_names, x.T, strict=True))
    values = {name: column[row] for name, column in columns.items()}
    return {name: "" if value != value else value for name, value in values.items()}


def draw_pictures(model: keras.Model, splits: Splits) -> dict:
    """Draws the confusion matrix, attention of the class token and what columns are worth."""
    _, y = splits.test
    predicted = predict(model, splits.test, batch_size=512).argmax(axis=-1)
    draw = charts.confusion_matrix
    if len(splits.class_names) > _MATRIX:
        draw = charts.confused_pairs
    title = f"{splits.source.name}, {len(y):,} test rows"
    return {
        "confusion_matrix": draw(y, predicted, splits.class_names, title=title),
        **draw_columns(
            model,
            splits,
            lambda logits, y: float(np.mean(logits.argmax(axis=-1) != y)),
            label="error",
        ),
    }


def draw_number_pictures(model: keras.Model, splits: Splits, *, scale: Scale) -> dict:
    """Draws predictions, residuals, attention of the class token and what columns are worth."""
    _, y = splits.test
    numbers = scale.restore(y), scale.restore(predict(model, splits.test, batch_size=512))
    title = f"{splits.source.name}, {len(y):,} test rows"
    return {
        "predictions": charts.predictions(*numbers, title=title, unit=scale.unit),
        "residuals": charts.residuals(*numbers, title=title, unit=scale.unit),
        **draw_columns(
            model,
            splits,
            lambda outputs, y: float(np.sqrt(np.mean((outputs - y) ** 2)) * scale.scale),
            label=f"RMSE ({scale.unit})",
        ),
    }


def draw_columns(model: keras.Model, splits: Splits, error: Any, *, label: str) -> dict:
    """Draws the attention of the class token, and beside it what the columns are worth.

    Args:
        model: trained.
        splits: of the test part, the first rows are drawn.
        error: of outputs and truth.
        label: the name of the error.
    """
    x, y = splits.test
    rows = {name: column[:_DRAWN] for name, column in x.items()}
    columns = [name for layer in encoders(model).values() for name in layer.names]
    return {
        "attention": plots.column_attention(model, rows, columns),
        "importance": plots.column_importance(
            model, rows, columns, lambda outputs: error(outputs, y[:_DRAWN]), label=label
        ),
    }
