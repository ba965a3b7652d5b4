"""How much a model writes where nobody says it."""

from typing import Any

import keras

from keras_attention.decoding import prompts
from keras_attention.decoding.parts import parts_of


def choose_length(model: keras.Model, prompt: Any, *, most: int) -> int:
    """Returns how many new tokens to write at most: `most`, or what the model's context leaves.

    A prompt that cannot be read, or fills the context, is left to `ka.generate`, which says so.

    Args:
        model: that writes.
        prompt: as `ka.generate` takes it.
        most: tokens.
    """
    parts = parts_of(model)
    if parts.context is None:
        return most
    longest = 1  # the start of what is made of a source
    if not parts.sources:
        try:
            longest = max((len(row) for row in prompts.read(parts, prompt).rows), default=1)
        except (TypeError, ValueError):
            return most
    return max(1, min(most, parts.context - longest))
