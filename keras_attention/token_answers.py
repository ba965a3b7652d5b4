"""Answers about texts, made of the outputs of their tokens."""

import os
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from keras_attention import inference, roles, windows
from keras_attention.ops import batches
from keras_attention.texts import Text
from keras_attention.windows import Window


@dataclass(frozen=True)
class TokenTexts:
    """Texts that outputs of tokens `(B, T, ...)` are about.

    Attributes:
        decoder: what makes answers of them.
        windows: of each text; most have one.
        raw: values to encode, a row for each window.
    """

    decoder: Any
    windows: list[list[Window]]
    raw: Any

    def answer(self, model: keras.Model, arrays: Any, batch_size: int) -> Iterator[Any]:
        """Yields an answer for each text.

        Args:
            model: that of the decoder.
            arrays: of `raw`, encoded.
            batch_size: rows computed at a time.
        """
        waiting, computed = deque(self.windows), deque[np.ndarray]()
        # Batch by batch, for the logits of a whole vocabulary are many.
        for batch in inference.stream(model, arrays, batch_size=batch_size):
            computed.extend(keras.tree.flatten(batch)[0])
            ready = []
            while waiting and len(computed) >= len(waiting[0]):
                parts = waiting.popleft()
                ready.append(windows.join(parts, [computed.popleft() for _ in parts]))
            if roles.decodes_texts(self.decoder) and ready:
                texts, outputs = zip(*ready, strict=True)
                yield from self.decoder.decode_texts(outputs, texts)
            else:
                yield from (self._name_words(*each) for each in ready)

    def _name_words(self, text: Text, outputs: np.ndarray) -> Any:
        """Returns pairs of the words and the answers at their first tokens."""
        (answers,) = self.decoder.decode(outputs[None])
        if not isinstance(answers, list):
            return answers
        return [(word.text, answers[word.token]) for word in text.words]


def find_decoder(model: keras.Model) -> Any:
    """Returns the `roles.Decoder` that makes the model's first output, or `None`."""
    layer = model.outputs[0]._keras_history.operation
    return layer if roles.decodes(layer) else None


def find_texts(model: keras.Model, inputs: Mapping[str, Any], raw: Any) -> TokenTexts | None:
    """Returns the texts of a batch, if a model has a decoder for the outputs of their tokens.

    Args:
        model: functional.
        inputs: the `roles.Encoder` by the name of each input.
        raw: a batch. Where it is ids already, there are no texts.
    """
    decoder = find_decoder(model)
    readers = {name: layer for name, layer in inputs.items() if roles.tells_words(layer)}
    by_token = len(model.outputs[0].shape) == 3
    if decoder is None or not readers or not by_token or isinstance(raw, os.PathLike):
        return None
    name, encoder = next(iter(readers.items()))
    if not (roles.decodes_texts(decoder) or roles.words(encoder)):
        return None  # an answer for each token, whatever it stands for
    by_input = isinstance(raw, Mapping)
    given = raw.get(name) if isinstance(raw, Mapping) else raw
    form = "(B, T)" if getattr(given, "ndim", 2) < 3 else "(B, T, C)"
    padding = roles.padding_id(encoder)
    if given is None or batches.ids("raw", given, form, padding=padding) is not None:
        return None
    overlap = 0 if by_input else roles.overlap(decoder)
    parts = [
        windows.split(_check(encoder, text, row), encoder, overlap, text)
        for row, text in enumerate(batches.items("raw", given, "texts"))
    ]
    rows: Any = [window.row for each in parts for window in each]
    return TokenTexts(decoder, parts, {**raw, name: rows} if by_input else rows)


def _check(encoder: Any, text: Any, row: int) -> Any:
    """Returns a string, a pair of strings, or a list of words, as the encoder takes it."""
    if roles.cuts_words(encoder):
        return batches.words(text, row, encoder.split)
    if roles.words(encoder) and not isinstance(text, str):
        return batches.words(text, row, list)
    if isinstance(text, tuple) and len(text) == 2:
        return tuple(batches.text(each, row) for each in text)
    return batches.text(text, row)
