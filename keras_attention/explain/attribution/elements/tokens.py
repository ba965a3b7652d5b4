"""Tokens of texts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import keras
import numpy as np

from keras_attention import prediction, roles
from keras_attention.explain.attribution.elements.base import Batch, Elements
from keras_attention.explain.token_names import name_tokens


@dataclass(frozen=True)
class Tokens(Elements):
    """Ids `(B, T)`. What is taken away becomes padding, which the model's masks hide."""

    kind: ClassVar[str] = "tokens"
    replacement: int = 0

    def at_elements(self, values: np.ndarray) -> np.ndarray:
        return values.sum(axis=tuple(range(2, values.ndim)))

    def _remove(self, array: np.ndarray, removed: np.ndarray, rows: Any) -> np.ndarray:
        removed = removed.reshape(*removed.shape, *[1] * (array.ndim - 2))
        return np.where(removed, self.replacement, array).astype(array.dtype)


def tokens(
    model: keras.Model, batch: Batch, name: str, *, texts: Any = None, replacement: Any = None
) -> Tokens:
    """Returns the tokens of an input.

    Args:
        model: functional.
        batch: of the input.
        name: of the input.
        texts: those of the ids, if they are known.
        replacement: the id that stands for what is taken away; padding if `None`.
    """
    encoders = prediction.encoders(model)
    padding = roles.padding_id(encoders[name])
    replacement = padding if replacement is None else replacement
    if not isinstance(replacement, (int, np.integer)):
        raise ValueError(
            f"`replacement` of tokens must be an id. Received: replacement={replacement!r}"
        )
    ids = batch.array
    present = ids != padding
    labels = number(present)
    vocabulary = roles.vocabulary(encoders[name])
    if vocabulary is not None and vocabulary.has_vocabulary:
        if texts is None:
            labels = [_label(vocabulary, *row) for row in zip(ids, present, strict=True)]
        else:
            labels = [list(vocabulary.tokens(text)) for text in texts]
    others = batch.inputs if isinstance(batch.inputs, Mapping) else {}
    beside = tuple(
        other
        for other, x in others.items()
        if other != name
        and x.dtype.kind in "iu"
        and x.ndim > 2
        and x.shape[:2] == ids.shape
        and encoders[other] is not None
    )
    return Tokens(
        batch.inputs, batch.name, present, labels, replacement=int(replacement), beside=beside
    )


def _label(vocabulary: roles.Vocabulary, ids: np.ndarray, present: np.ndarray) -> list[str]:
    """Returns the names of the ids that are there, and nothing for padding."""
    names = iter(name_tokens(vocabulary, ids[present]))
    return [next(names) if there else "" for there in present]


def number(present: np.ndarray) -> list[list[str]]:
    """Returns numbers from 0 on for labels of those that are there."""
    return [
        [str(n) if there else "" for n, there in zip(row.cumsum() - 1, row, strict=True)]
        for row in present
    ]
