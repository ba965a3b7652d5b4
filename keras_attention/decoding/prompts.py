"""Prompts: from what the caller gives to arrays, and from new ids to what the caller wants."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops

from keras_attention.decoding.parts import Parts
from keras_attention.ops import batches

_TAKES = (
    "`prompt` must be a text, a list of texts, ids (B, T), or a list of rows of ids. Received: "
)


@dataclass(frozen=True)
class Prompt:
    """A batch that is ready to be continued.

    Attributes:
        sources: arrays of the encoder's inputs.
        rows: token ids to continue.
        text: whether the caller wants text.
        single: whether the caller gave one text or path, or one for each input, not a list.
    """

    sources: list[np.ndarray]
    rows: list[np.ndarray]
    text: bool
    single: bool


def read(parts: Parts, raw: Any) -> Prompt:
    """Returns the prompt of a model, read from what the caller gave.

    Raises:
        TypeError: the prompt is of no type that the model's inputs take.
        ValueError: a row is empty, or has ids that are not in the vocabulary.
    """
    single = is_one(raw)
    given = as_batch(raw) if single else _array(raw)
    if parts.sources:
        sources, prefix, ids = _sources(parts, given)
        rows, text = _prefix(parts, len(sources[0]), prefix, not ids)
    else:
        sources = []
        if isinstance(given, Mapping):
            _check_names(parts, given)
            given = _array(given[parts.target])
        rows, text = _rows(parts, given)
    padding = parts.masked[parts.target]
    rows = [_check_ids(parts, _strip_padding(row, padding), i) for i, row in enumerate(rows)]
    for number, row in enumerate(rows):
        if not row.size:
            raise ValueError(
                f"Prompt {number} of `prompt` has no tokens to continue from. Give it some text, "
                "or train the tokenizer with start_end=True, whose start token begins all texts."
            )
    return Prompt([*sources], rows, text, single)


def is_one(raw: Any) -> bool:
    """Whether it is one text or path, or a mapping with one for each input."""
    values = list(raw.values()) if isinstance(raw, Mapping) else [raw]
    return bool(values) and all(isinstance(value, str | os.PathLike) for value in values)


def as_batch(raw: Any) -> Any:
    """Returns the batch of one text or path, or of one for each input."""
    return {name: [value] for name, value in raw.items()} if isinstance(raw, Mapping) else [raw]


def _array(raw: Any) -> Any:
    """Returns tensors as arrays, and other values as they are."""
    if ops.is_tensor(raw):
        return np.asarray(ops.convert_to_numpy(raw))
    if isinstance(raw, list | tuple) and any(map(ops.is_tensor, raw)):
        return [_array(row) for row in raw]
    return raw


def _check_ids(parts: Parts, row: np.ndarray, number: int) -> np.ndarray:
    """Returns the ids of a prompt as int32, all of which the model knows."""
    wrong = row[(row < 0) | (row >= parts.vocabulary_size)]
    if wrong.size:
        raise ValueError(
            f"Token ids must be between 0 and {parts.vocabulary_size - 1}. Received: the id "
            f"{wrong[0]} in prompt {number} of `prompt`. Is this the model's own tokenizer?"
        )
    return row.astype(np.int32)


def _strip_padding(row: np.ndarray, padding: frozenset[int]) -> np.ndarray:
    """Returns a row without the padding before and behind it, which the model does not read."""
    real = np.flatnonzero(~np.isin(row, list(padding)))
    return row[real[0] : real[-1] + 1] if real.size else row[:0]


def pad_left(rows: list[np.ndarray], length: int, padding: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns ids `(B, length)` padded on the left, and a mask that is false there."""
    ids = np.full((len(rows), length), padding, np.int32)
    for target, row in zip(ids, rows, strict=True):
        target[length - len(row) :] = row
    lengths = np.array([len(row) for row in rows])
    return ids, np.arange(length)[None] >= length - lengths[:, None]


def cut(row: np.ndarray, stops: Iterable[int], *, keep_end: bool = False) -> np.ndarray:
    """Returns new ids up to the first of `stops`, which is left out unless `keep_end`."""
    ends = np.flatnonzero(np.isin(row, list(stops)))
    return row[: ends[0] + keep_end] if ends.size else row


def answer(parts: Parts, prompt: np.ndarray, new: np.ndarray, text: bool) -> Any:
    """Returns new ids in the caller's type: themselves, or the text that they add to the prompt."""
    tokenizer = parts.tokenizer
    if not text or tokenizer is None:
        return new
    if parts.sources:
        return tokenizer.decode(new[None])[0] if new.size else ""
    before, after = (
        tokenizer.decode(ids[None])[0] for ids in (prompt, np.concatenate([prompt, new]))
    )
    return after[len(before) :]


def _sources(parts: Parts, raw: Any) -> tuple[list[np.ndarray], Any, bool]:
    """Returns arrays of the encoder's inputs, what begins the target, if given, and whether all
    the sources are ids."""
    prefix = None
    if isinstance(raw, Mapping):
        _check_names(parts, raw)
        given = dict(raw)
        prefix = _array(given.pop(parts.target, None))
    elif len(parts.sources) == 1:
        given = {parts.sources[0]: raw}
    else:
        raise TypeError(
            f"`prompt` must be a mapping with the inputs {', '.join(parts.sources)}. Received: "
            f"{type(raw).__name__}"
        )
    arrays, ids = [], True
    for name in parts.sources:
        layer, values = parts.encoders[name], _array(given[name])
        if not isinstance(values, np.ndarray):
            values = _join_rows(parts, name, values)
        array = batches.numbers(name, values) if layer is None else layer.encode(values)
        arrays.append(np.asarray(array))
        # Integers `(B, S)`; pixels have more axes.
        ids = ids and isinstance(values, np.ndarray) and values.ndim == 2
        ids = ids and values.dtype.kind in "iu"
    return arrays, prefix, ids


def _check_names(parts: Parts, given: Mapping) -> None:
    names = set(given) | ({parts.target} if parts.sources else set())
    if names != {*parts.sources, parts.target}:
        raise ValueError(
            f"`prompt` must have entries for {', '.join(parts.sources) or parts.target}"
            + (f", and may have one for {parts.target}" if parts.sources else "")
            + f". Received: {', '.join(map(str, given))}"
        )


def _join_rows(parts: Parts, name: str, values: Any) -> Any:
    """Returns lists of ids as an array, padded on the right; other values as they are."""
    values = list(values)
    if not values or not all(_is_ids(row) for row in values):
        return values
    lengths = [len(row) for row in values]
    padding = parts.padding[name]
    if len(set(lengths)) > 1 and padding not in parts.masked.get(name, ()):
        raise ValueError(
            f"The rows of {name!r} must have the same length: the model has nothing to tell it "
            f"what is padding, such as Embedding(mask_zero=True). Received: lengths {lengths}"
        )
    return pad_right(values, padding)


def pad_right(rows: Sequence[Any], padding: int) -> np.ndarray:
    """Returns ids `(B, T)` padded on the right, T being the most of a row."""
    ids = np.full((len(rows), max(map(len, rows))), padding, np.int32)
    for target, row in zip(ids, rows, strict=True):
        target[: len(row)] = row
    return ids


def _is_ids(row: Any) -> bool:
    if isinstance(row, np.ndarray):
        return row.ndim == 1 and row.dtype.kind in "iu"
    return isinstance(row, list | tuple) and all(
        isinstance(i, int | np.integer) and not isinstance(i, bool) for i in row
    )


def _prefix(parts: Parts, batch: int, prefix: Any, text: bool) -> tuple[list[np.ndarray], bool]:
    """Returns what begins the targets, and whether they are wanted as text."""
    tokenizer = parts.tokenizer
    if prefix is not None:
        rows, text = _rows(parts, prefix)
        if len(rows) != batch:
            raise ValueError(
                f"`prompt` has {batch} sources and {len(rows)} beginnings of their targets."
            )
        return rows, text
    start = None if tokenizer is None else tokenizer.start_id
    if start is None:
        raise ValueError(
            "The target has no start token, so `prompt` must be a mapping that has beginnings for "
            f"{parts.target!r} too. Or train its tokenizer with start_end=True."
        )
    return [np.array([start], np.int32)] * batch, text


def _rows(parts: Parts, raw: Any) -> tuple[list[np.ndarray], bool]:
    """Returns token ids to continue, and whether they were text."""
    if isinstance(raw, np.ndarray) and raw.dtype.kind in "iu":
        if raw.ndim != 2:
            raise ValueError(
                "`prompt` must be ids (B, T), or a list of rows of different lengths. Received: an "
                f"array of shape {raw.shape}"
            )
        raw = list(raw)
    if not isinstance(raw, Iterable) or isinstance(raw, bytes):
        raise TypeError(_TAKES + type(raw).__name__)
    rows = list(raw)
    if not rows:
        return [], parts.tokenizer is not None
    if all(isinstance(row, str) for row in rows):
        tokenizer = parts.tokenizer
        if tokenizer is None:
            raise TypeError(
                "`prompt` is text, and the model has no Tokenizer layer. Give it token ids."
            )
        padding = parts.padding[parts.target]
        texts = [batches.text(text, row) for row, text in enumerate(rows)]
        return [_ids(tokenizer, text, padding) for text in texts], True
    if all(_is_ids(row) for row in rows):
        return [np.asarray(row, None if len(row) else np.int32) for row in rows], False
    text = isinstance(rows[0], str)
    fits = [isinstance(row, str) if text else _is_ids(row) for row in rows]
    number = fits.index(False)
    wrong = rows[number]
    raise TypeError(f"{_TAKES}{type(raw).__name__}, whose entry {number} is {repr(wrong)[:60]}")


def _ids(tokenizer: Any, text: str, padding: int) -> np.ndarray:
    row = tokenizer.encode([text], end=False, whole=True)[0]
    return row[row != padding]
