"""The encoding of many raw inputs, which says how far it is."""

from typing import Any

import keras
import numpy as np

import keras_attention as ka
from keras_attention import roles
from keras_attention.prediction import encoders
from zoo.progress import track

_ROWS = 5_000  # between two looks at the clock


def encode(model: keras.Model, raw: Any) -> Any:
    """Returns `ka.encode(model, raw)`; many texts are encoded in parts."""
    (layer, *others) = encoders(model).values()
    is_text = layer is not None and roles.vocabulary(layer) is not None and not others
    if not (is_text and isinstance(raw, np.ndarray) and raw.dtype == object and len(raw) > _ROWS):
        return ka.encode(model, raw)
    starts = range(0, len(raw), _ROWS)
    parts = [
        ka.encode(model, raw[start : start + _ROWS])
        for start in track(starts, "Tokenized", unit=f"times {_ROWS:,} texts")
    ]
    length, padding = max(part.shape[1] for part in parts), roles.padding_id(layer)
    return np.concatenate(
        [
            np.pad(part, ((0, 0), (0, length - part.shape[1])), constant_values=padding)
            for part in parts
        ]
    )
