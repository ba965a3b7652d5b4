"""Wrong answers of a classifier that are worth a look."""

from pathlib import Path
from typing import Any

import keras
import numpy as np

from zoo.data import Splits


def list_mistakes(
    logits: np.ndarray, splits: Splits, column: str, *, most: int = 50
) -> list[dict[str, Any]]:
    """Returns the test rows whose wrong class the model is surest of.

    Args:
        logits: `(B, C)` of the test part.
        splits: whose x are paths, or arrays, of which the number of the row is named.
        column: what a row is, such as `"image"`.
        most: rows that are returned.
    """
    x, y = splits.test
    probabilities = keras.ops.convert_to_numpy(keras.ops.softmax(logits.astype("float32")))
    predicted, sure = probabilities.argmax(axis=-1), probabilities.max(axis=-1)
    wrong = np.flatnonzero(predicted != y)
    return [
        {
            column: str(x[row]) if isinstance(x[row], Path) else int(row),
            "label": splits.class_names[y[row]],
            "predicted": splits.class_names[predicted[row]],
            "probability": round(float(sure[row]), 4),
        }
        for row in wrong[np.argsort(-sure[wrong], kind="stable")][:most]
    ]
