"""Texts to ids and back, by a vocabulary of the `tokenizers` library."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import Any, NamedTuple

from keras_attention.layers.inputs import tokenizer_file
from keras_attention.layers.inputs.tokenizer_special import Frame, SpecialIds, find_frames
from keras_attention.ops import batches

PAD, UNKNOWN, START, END = range(4)  # of vocabularies that `Tokenizer.train` makes
SPECIAL = ["[PAD]", "[UNK]", "[START]", "[END]"]
_TOGETHER = 1024  # texts whose encodings are in memory at the same time
_SPACES = "Ġ▁ "  # what byte pairs and sentencepiece write for a space


class Piece(NamedTuple):
    """The part of a text that one of its ids stands for.

    Attributes:
        id: of the token.
        token: as the vocabulary writes it.
        start, end: the characters of the text from `start` to before `end`, without spaces around
            them; of the word itself, where the text is a list of words. `None` for special tokens.
        word: the number of the word; `None` for special tokens.
        text: 0, or 1 in the second text of a pair; `None` for special tokens.
    """

    id: int
    token: str
    start: int | None = None
    end: int | None = None
    word: int | None = None
    text: int | None = None


class _Tokens(NamedTuple):
    """Ids in the layout of the library's encodings."""

    ids: list[int]
    offsets: list[tuple[int, int]]
    word_ids: list[int]


class _Encoded(NamedTuple):
    """A text as the library has encoded it.

    Attributes:
        encoding: ids, and the characters and words that they stand for.
        sources: the text, or its words.
        starts: where these are in what was given.
        prefixes: how many characters were put before each.
    """

    encoding: Any
    sources: Sequence[str]
    starts: Sequence[int]
    prefixes: Sequence[int]


class Texts:
    """Encodes texts by the content of a `tokenizer.json`.

    Args:
        content: of the file, checked.
        special: ids of special tokens, or `None` for the layout of `Tokenizer.train`.
        words: as of the layer.
        split: cuts a text into words: spans of characters.
        truncation_side: as of the layer.

    Raises:
        ValueError: the library refuses the content, or a special id has no token.
    """

    def __init__(
        self,
        content: str,
        special: SpecialIds | None,
        words: bool | str,
        split: Callable[[str], list[tuple[int, int]]],
        truncation_side: str,
    ) -> None:
        library = tokenizer_file.call(tokenizer_file.import_library().Tokenizer.from_str, content)
        library.encode_special_tokens = True  # "[END]" in a text ends nothing
        self._library, self._words, self._split = library, words, split
        self.own = special is None
        if special is None:
            special, self.single = _find_own(library)
            self.pair = Frame()
        else:
            self.single, self.pair = find_frames(library)
            library.post_processor = None
        self.special = special
        self.single, self.pair = frames = [
            replace(frame, truncation_side=truncation_side) for frame in (self.single, self.pair)
        ]
        ids = [i for frame in frames for i in (*frame.before, *frame.between, *frame.after)]
        wrong = [i for i in (*special.list(), *ids) if library.id_to_token(i) is None]
        if wrong:
            raise ValueError(
                f"A special token has the id {wrong[0]}, which the vocabulary has no token for."
            )
        added = library.get_added_tokens_decoder()
        self._untyped = {i for i, token in added.items() if token.special} - {special.unknown}
        self._prefix = " " if words == "pieces" and _joins_words(library) else ""

    @cached_property
    def vocabulary(self) -> list[str]:
        """The tokens in the order of their ids; `""` where there is none."""
        ids = self._library.get_vocab(with_added_tokens=True)
        tokens = [""] * (max(ids.values(), default=-1) + 1)
        for token, i in ids.items():
            tokens[i] = token
        return tokens

    def find_special(
        self, named: Mapping[str, str | None], end: str | Iterable[str] | None
    ) -> tuple[SpecialIds, int]:
        """Returns the ids of special tokens, and that of padding.

        Args:
            named: tokens by "padding", "start", "separator" and "mask"; where it is `None`, what
                the post-processor puts there.
            end: tokens that may end a text, beside that which the post-processor puts there.

        Raises:
            ValueError: a token is not in the vocabulary.
        """
        tokens = [end] if isinstance(end, str) else end or ()
        ends = [self._find("end", token) for token in tokens]
        ids = {name: self._find(name, token) for name, token in named.items() if token is not None}
        special = SpecialIds(
            start=ids.get("start", next(iter(self.single.before), None)),
            end=tuple(dict.fromkeys([*self.single.after[-1:], *ends])),
            separator=ids.get("separator", next(iter(self.pair.between), None)),
            mask=ids.get("mask"),
            unknown=self.special.unknown,
        )
        return special, ids.get("padding", -1)

    def _find(self, name: str, token: str) -> int:
        found = self._library.token_to_id(token)
        if found is None:
            raise ValueError(f"`{name}` must be a token of the vocabulary. Received: {token!r}")
        return found

    def ids(self, texts: Sequence[Any], *, end: bool, limit: int | None) -> list[list[int]]:
        """Returns the ids of texts or pairs, each in its special tokens, within `limit`."""
        rows = []
        for start in range(0, len(texts), _TOGETHER):
            some = texts[start : start + _TOGETHER]
            for row, parts in enumerate(self._encode_together(some, start), start):
                rows.append(self._frame(parts, row, end).put(parts, limit))
        return rows

    def pieces(self, text: Any, *, limit: int | None) -> list[tuple[Piece, str]]:
        """Returns the piece that each id of a text stands for, and how a reader would write it."""
        parts = [
            list(self._cut(encoded, number)) for number, encoded in enumerate(self._encode(text, 0))
        ]
        frame = self._frame(parts, 0, True)
        before, between, after = (
            tuple(
                (Piece(i, self._library.id_to_token(i)), self._library.id_to_token(i)) for i in ids
            )
            for ids in (frame.before, frame.between, frame.after)
        )
        written = replace(frame, before=before, between=between, after=after)
        return written.put(parts, limit)

    def first_pieces(self, text: Any, *, limit: int | None) -> list[int]:
        """Returns the number of the word that begins at each id of a text, or else -1."""
        numbers, last = [], None
        for piece, _ in self.pieces(text, limit=limit):
            word = piece.text, piece.word
            numbers.append(-1 if piece.word is None or word == last else piece.word)
            last = word
        return numbers

    def decode(self, rows: list[list[int]]) -> list[str]:
        """Returns the texts of ids without special ones."""
        if self._words is True:
            return [" ".join(self.vocabulary[i] for i in row if i > UNKNOWN) for row in rows]
        decode = partial(self._library.decode_batch, skip_special_tokens=True)
        texts = tokenizer_file.call(decode, rows)
        if self.own and getattr(self._library.pre_tokenizer, "add_prefix_space", False):
            return [text.removeprefix(" ") for text in texts]  # byte pairs
        return texts

    def _frame(self, parts: Sequence, row: int, end: bool) -> Frame:
        frame = self.single if len(parts) == 1 else self.pair
        if self.own and len(parts) > 1:
            raise ValueError(
                "The vocabulary has nothing to put between two texts. Received: a pair in row "
                f"{row}. Join them to one text, or use the tokenizer of a published model: "
                "`Tokenizer.from_json`."
            )
        return frame if end else frame.without(self.special.end)

    def _encode_together(self, texts: Sequence[Any], first: int) -> Iterator[list[list[int]]]:
        """Yields the ids of each text, or those of the two of a pair.

        Args:
            texts: in whose encoding the library uses all processors.
            first: the row of the first.
        """
        if self._words:
            for row, text in enumerate(texts, first):
                yield [self._encode_words(text, row).encoding.ids]
            return
        rows = [text if isinstance(text, tuple) and len(text) == 2 else (text,) for text in texts]
        strings = [
            batches.text(each, row) for row, parts in enumerate(rows, first) for each in parts
        ]
        encode = partial(self._library.encode_batch_fast, add_special_tokens=False)
        encodings = iter(tokenizer_file.call(encode, strings))
        for row, parts in enumerate(rows, first):
            ids = [next(encodings).ids for _ in parts]
            if not all(map(self._untyped.isdisjoint, ids)):
                ids = [encoded.encoding.ids for encoded in self._encode(texts[row - first], row)]
            yield ids

    def _encode(self, text: Any, row: int) -> list[_Encoded]:
        """Returns the encoding of a text, or those of a pair."""
        if self._words:
            return [self._encode_words(text, row)]
        encode = partial(self._library.encode, add_special_tokens=False)
        texts = text if isinstance(text, tuple) and len(text) == 2 else (text,)
        encoded = []
        for each in texts:
            encoding = tokenizer_file.call(encode, batches.text(each, row))
            encoded.append(_Encoded(self._untype(encoding), [each], [0], [0]))
        return encoded

    def _encode_words(self, text: Any, row: int) -> _Encoded:
        """Returns the encoding of words, or of a text that `split` cuts into them."""
        if isinstance(text, str):
            spans = self._split(batches.text(text, row))
            words, starts = [text[a:b] for a, b in spans], [a for a, _ in spans]
        else:
            words = batches.words(text, row, list)
            starts = [0] * len(words)
        if self._words is True:
            ids = [self._find_word(word) for word in words]
            offsets = [(0, len(word)) for word in words]
            encoding = _Tokens(ids, offsets, [*range(len(words))])
            return _Encoded(encoding, words, starts, [0] * len(words))
        prefixes = ["" if not word or word.startswith(" ") else self._prefix for word in words]
        given = [f"{prefix}{word}" for prefix, word in zip(prefixes, words, strict=True)]
        encode = partial(self._library.encode, is_pretokenized=True, add_special_tokens=False)
        encoding = self._untype(tokenizer_file.call(encode, given))
        return _Encoded(encoding, words, starts, [*map(len, prefixes)])

    def _untype(self, encoding: Any) -> Any:
        """Returns an encoding in which no special token was typed.

        The library looks for none in a text, but a model that finds the best pieces takes one for
        a piece. It becomes what its first character and the rest of it are.
        """
        if self._untyped.isdisjoint(encoding.ids):
            return encoding
        tokens = _Tokens([], [], [])
        every = zip(encoding.ids, encoding.offsets, encoding.word_ids, strict=True)
        for i, (start, end), word in every:
            parts = [([i], start, end)]
            if i in self._untyped:
                token, middle = self._library.id_to_token(i), min(start + 1, end)
                cut = self._find_ids(token[:1]), self._find_ids(token[1:])
                parts = [(cut[0], start, middle), (cut[1], middle, end)]
            for ids, first, last in parts:
                tokens.ids.extend(ids)
                tokens.offsets.extend([(first, last)] * len(ids))
                tokens.word_ids.extend([word] * len(ids))
        return tokens

    def _find_ids(self, text: str) -> list[int]:
        tokenize = self._library.model.tokenize
        return [token.id for token in tokenizer_file.call(tokenize, text)]

    def _find_word(self, word: str) -> int:
        normalizer = self._library.normalizer
        if normalizer is not None:
            word = tokenizer_file.call(normalizer.normalize_str, word)
        found = self._library.token_to_id(word)
        return UNKNOWN if found is None or found == PAD else found

    def _cut(self, encoded: _Encoded, text: int) -> Iterator[tuple[Piece, str]]:
        encoding, whole = encoded.encoding, not self._words
        every = zip(encoding.ids, encoding.offsets, encoding.word_ids, strict=True)
        for i, offsets, word in every:
            place = 0 if whole or word is None else word
            source, token = encoded.sources[place], self._library.id_to_token(i)
            start, end = (max(0, offset - encoded.prefixes[place]) for offset in offsets)
            written = source[start:end]
            bare = written.strip(" ")
            if not token.strip(_SPACES):  # of which the text may have none
                end = start + len(written) - len(written.lstrip(" "))
                written = source[start:end] or token
            elif bare:
                start += written.index(bare)
                end = start + len(bare)
            origin = encoded.starts[place]
            piece = Piece(i, token, origin + start, origin + end, word, text)
            yield piece, written.strip() or written or "?"


def _find_own(library: Any) -> tuple[SpecialIds, Frame]:
    """Returns the special ids of a vocabulary that `Tokenizer.train` made, and its frame."""
    added = library.get_added_tokens_decoder()  # not a word that looks like one
    if START in added and added[START].content == SPECIAL[START]:
        return SpecialIds(START, (END,), unknown=UNKNOWN), Frame((START,), (), (END,))
    return SpecialIds(unknown=UNKNOWN), Frame()


def _joins_words(library: Any) -> bool:
    """Whether words lose the spaces between them, for they are bytes with no space in front.

    A word within a text is then another token than the word at its beginning.
    """
    if library.pre_tokenizer is None:
        return False
    cut = json.loads(library.pre_tokenizer.__getstate__())
    steps = cut["pretokenizers"] if cut["type"] == "Sequence" else [cut]
    return any(step["type"] == "ByteLevel" and not step["add_prefix_space"] for step in steps)
