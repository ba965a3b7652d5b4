"""What a model answers, as a page shows it: names with probabilities or numbers."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from keras_attention import prediction
from keras_attention.explain.attribution.names import class_names
from keras_attention.explain.probabilities import TOP, to_probabilities


def describe_answer(
    model: keras.Model, output: np.ndarray, *, of: str = "", present: Any = slice(None)
) -> dict[str, Any] | None:
    """Returns the answer to one input as JSON has it, or `None` where outputs have no names.

    Args:
        model: functional.
        output: `(C,)`, or `(T, C)` of each position.
        of: name of the sequence that these positions are in; empty for one answer.
        present: which positions there are.
    """
    rows = output[None] if output.ndim == 1 else output[present]
    if output.ndim > 2 or not len(rows):
        return None
    decoder, names = prediction.decoder(model), class_names(model)
    if decoder is not None and hasattr(decoder, "decode") and output.ndim == 1:
        (answer,) = decoder.decode(rows)
        if isinstance(answer, Mapping):
            numbers = [[name, _number(value)] for name, value in answer.items()]
            return {"of": "", "probable": False, "choices": [numbers]}
        if getattr(answer, "ranking", None):
            choices = [[name, round(float(p), 5)] for name, p in answer.ranking[:TOP]]
            probable = hasattr(answer, "probability")
            return {"of": "", "probable": probable, "choices": [choices]}
    if not names or len(names) != output.shape[-1]:
        return None
    shares = to_probabilities(model, rows)
    best = np.argsort(-shares, axis=-1, kind="stable")[:, :TOP]
    choices = [
        [[names[i], round(float(row[i]), 5)] for i in order]
        for row, order in zip(shares, best, strict=True)
    ]
    return {"of": of if output.ndim == 2 else "", "probable": True, "choices": choices}


def _number(value: Any) -> Any:
    return float(value) if np.ndim(value) == 0 else str(np.asarray(value).round(3).tolist())[:80]
