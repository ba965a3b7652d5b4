"""Inputs of the taggers under the contract."""

import numpy as np

SIZE = 30  # of the vocabulary


def inputs(rng, batch):
    """Sentences of up to 7 words, of up to 5 characters."""
    there = np.arange(7) < rng.integers(1, 8, (batch, 1))
    there[0] = True
    tokens = np.where(there, rng.integers(1, SIZE, (batch, 7)), 0)
    characters = rng.integers(1, 260, (batch, 7, 5))
    characters[..., 3:] *= rng.integers(0, 2, (batch, 7, 1))  # short words
    return {
        "token_ids": tokens.astype("int32"),
        "characters": np.where(there[..., None], characters, 0).astype("int32"),
    }


def padded(inputs, by):
    return {
        name: np.pad(array, [(0, 0), (0, by), *[(0, 0)] * (array.ndim - 2)])
        for name, array in inputs.items()
    }
