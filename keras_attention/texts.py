"""Texts as a model read them: which part of a text each token stands for."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any

from keras_attention import roles


@dataclass(frozen=True)
class Word:
    """A word of a text.

    Attributes:
        text: the word as it is written.
        start, end: where it stands: characters of the text.
        token: the first of its tokens: an index of the row of ids.
    """

    text: str
    start: int
    end: int
    token: int


@dataclass(frozen=True)
class Text:
    """A text, or a pair of texts, as a model read it.

    Attributes:
        strings: the text, or the two of a pair. Of a list of words these, with a space between.
        pieces: what each of the T tokens stands for; none where a layer has no vocabulary.
        encoder: the layer that made an id, or a row of them, of each token.
        given: the words, where they were given as such.
    """

    strings: tuple[str, ...]
    pieces: Sequence[Any]
    encoder: Any
    given: tuple[Word, ...] | None = None

    @cached_property
    def words(self) -> tuple[Word, ...]:
        """The words that have tokens, in their order; of a pair those of its second text."""
        if self.given is not None:
            return self.given
        string, words = self.strings[-1], []
        for _, group in groupby(self.own, lambda i: self.pieces[i].word):
            tokens = list(group)
            start, end = self.pieces[tokens[0]].start, self.pieces[tokens[-1]].end
            text = string[start:end]
            start += len(text) - len(text.lstrip())  # a space before a word is no part of it
            words.append(Word(text.strip(), start, start + len(text.strip()), tokens[0]))
        return tuple(words)

    @cached_property
    def own(self) -> tuple[int, ...]:
        """The tokens of the text, without special ones; of a pair those of its second text."""
        last = len(self.strings) - 1
        return tuple(i for i, piece in enumerate(self.pieces) if piece.text == last)


def read(row: Any, encoder: Any, source: Any = None) -> Text:
    """Returns a text as a model read it.

    Args:
        row: a string, a pair of strings, or a list of words.
        encoder: the layer that encodes it.
        source: the string that a list of words was cut out of, if it was.
    """
    if isinstance(row, str):
        return Text((row,), encoder.pieces(row), encoder)
    if isinstance(row, tuple) and not roles.words(encoder):
        return Text(row, encoder.pieces(row), encoder)
    string = source if isinstance(source, str) else " ".join(row)
    places = [*_locate(row, string)]
    pieces = () if roles.cuts_words(encoder) else encoder.pieces(row)
    tokens = [piece.word for piece in pieces] if pieces else range(len(row))
    tokens = tokens[: getattr(encoder, "max_length", None)]
    first = {number: token for token, number in reversed([*enumerate(tokens)])}
    words = tuple(
        Word(word, *place, first[number])
        for number, (word, place) in enumerate(zip(row, places, strict=True))
        if number in first
    )
    return Text((string,), [_shift(piece, places) for piece in pieces], encoder, words)


def _shift(piece: Any, places: Sequence[tuple[int, int]]) -> Any:
    """Returns a piece of a word as one of the text."""
    if piece.word is None:
        return piece
    start = places[piece.word][0]
    return piece._replace(start=start + piece.start, end=start + piece.end)


def _locate(words: Sequence[str], string: str) -> Iterator[tuple[int, int]]:
    """Yields where the words of a text stand in it."""
    end = 0
    for word in words:
        start = string.find(word, end)
        end = start + len(word)
        yield start, end
