"""Probabilities of the outputs of a model, and what the most probable of them are."""

from typing import Any

import keras
import numpy as np

from keras_attention import prediction
from keras_attention.explain.token_names import name_tokens

TOP = 5  # choices that are named


def to_probabilities(model: keras.Model, outputs: np.ndarray) -> np.ndarray:
    """Returns probabilities `(..., C)` of the outputs of a model, by what decodes them, or else by
    softmax; outputs as they are where there is one alone."""
    probabilities = getattr(prediction.decoder(model), "probabilities", None)
    if probabilities is not None:
        return probabilities(outputs)
    return softmax(outputs) if outputs.shape[-1] > 1 else outputs


def softmax(outputs: np.ndarray) -> np.ndarray:
    """Returns probabilities `(..., C)` of logits; probabilities pass."""
    outputs = np.asarray(outputs, np.float64)
    if (outputs >= 0).all() and np.allclose(outputs.sum(axis=-1), 1, atol=1e-3):
        return outputs
    shares = np.exp(outputs - outputs.max(axis=-1, keepdims=True))
    return shares / shares.sum(axis=-1, keepdims=True)


def rank_tokens(vocabulary: Any, outputs: np.ndarray) -> list[list[tuple[str, float]]]:
    """Returns the most probable tokens at each position, and their probabilities.

    Args:
        vocabulary: the layer that names tokens, or `None` for their ids.
        outputs: logits or probabilities `(T, V)`.
    """
    shares = softmax(outputs)
    best = np.argsort(-shares, axis=-1, kind="stable")[:, :TOP]
    names = {int(i): name_tokens(vocabulary, np.array([i]))[0] for i in np.unique(best)}
    return [
        [(names[int(i)], float(row[i])) for i in order]
        for row, order in zip(shares, best, strict=True)
    ]
