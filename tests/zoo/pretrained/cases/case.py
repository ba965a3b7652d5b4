"""What the tests need to know of a family of published checkpoints."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np


@dataclasses.dataclass(frozen=True)
class Case:
    """A family of text models.

    Args:
        model_type: as transformers calls it.
        config: settings of a tiny model, about 24 wide, of two layers and 90 ids.
        tasks: that it has, beside features.
        read: settings that change numbers, and that we follow: other values by key.
        refused: settings that change numbers, and that we do not follow: values by key.
        padding_id: of its ids.
        unread_positions: rows at the beginning of the table of positions that no text reads.
        also: further types of models with the same parts.
        position_ids: `f(mask)`, positions that transformers must be told where rows are padded on
            the left, so that padding changes nothing; `None` where it knows.
    """

    model_type: str
    config: Mapping[str, Any]
    tasks: Sequence[str]
    read: Mapping[str, Any]
    refused: Mapping[str, Any]
    padding_id: int = 0
    unread_positions: int = 0
    also: Sequence[str] = ()
    position_ids: Callable[[np.ndarray], np.ndarray] | None = None

    def inputs(self, *, left):
        """Returns ids `(3, 9)` of rows of several lengths, and which of them are tokens."""
        rng = np.random.default_rng(0)
        lengths = np.array([[9], [5], [7]])
        places = np.arange(9)
        mask = places >= 9 - lengths if left else places < lengths
        ids = rng.integers(5, self.config["vocab_size"], mask.shape)
        return np.where(mask, ids, self.padding_id).astype("int32"), mask


def count_from_the_first_token(mask):
    """Returns positions `(B, T)` that begin at the first token of each row."""
    return np.maximum(np.cumsum(mask, axis=1) - 1, 0)
