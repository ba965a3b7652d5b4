"""Text to token ids: the first node of a text model."""

import os
import re
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_attention.layers.entrance import Entrance, tensors
from keras_attention.layers.inputs import (
    tokenizer_file,
    tokenizer_patterns,
    tokenizer_published,
    tokenizer_training,
)
from keras_attention.layers.inputs.tokenizer_special import SpecialIds
from keras_attention.layers.inputs.tokenizer_text import PAD, Piece, Texts
from keras_attention.ops import batches, checks, masks

_FILE = "tokenizer.json"
_WORD = re.compile(tokenizer_patterns.WORD)


@keras.saving.register_keras_serializable(package="keras_attention")
class Tokenizer(Entrance, keras.layers.Layer):
    """Turns text to token ids, outside the graph; inside it, ids pass and get their mask.

    As the first node of a model it carries the vocabulary in the `.keras` file, so that the file
    alone goes from text to an answer (`ka.predict`). Byte pairs (Sennrich et al., 2016,
    https://arxiv.org/abs/1508.07909, on bytes, so that no text is unknown), word pieces
    (Schuster and Nakajima, 2012), whole words or single characters, by the `tokenizers` library.
    `Tokenizer.train` makes a vocabulary, and `Tokenizer.from_json` takes a published one, of
    Unigram pieces (Kudo, 2018, https://arxiv.org/abs/1804.10959) too.

    Of a vocabulary that `train` makes, id 0 is padding, which the mask hides; id 1 stands for what
    is not in the vocabulary, which byte pairs never meet. It may have a start (id 2) and an end
    (id 3) of texts, for models that write. Text beyond `max_length` tokens is cut off at its end,
    or at its beginning by `truncation_side="left"`.
    Text without tokens becomes a row of padding, or start and end. What looks like a special token
    in a text, such as "[SEP]", is text.

    Args:
        max_length: tokens of a text that are kept, special ones included; all if `None`.
        words: `True` for one id per word, for taggers; `"pieces"` for words that the vocabulary
            cuts to pieces. Texts are cut into words by `split`, or are lists of words already.
        padding_id: of padding; -1 where the vocabulary has no token for it.
        special_ids: ids by the names of `SpecialIds`; `None` for the layout of `train`.
        truncation_side: where text beyond `max_length` is cut off, `"right"` or `"left"`; special
            tokens stay.

    Call arguments:
        token_ids: `(B, T)` integers, padded with `padding_id`.

    Output:
        `token_ids` as int32, with the mask `token_ids != padding_id`. Padding of -1, which is no
        token, becomes 0.

    Raises:
        ImportError: `tokenizers` is not installed, where text is to be encoded.
        ValueError: the layer has no vocabulary.
    """

    takes = tensors(token_ids="integers (B, T)")

    encodes = "texts"

    def __init__(
        self,
        max_length: int | None = None,
        words: bool | str = False,
        padding_id: int = PAD,
        special_ids: Mapping[str, Any] | None = None,
        truncation_side: str = "right",
        **kwargs: Any,
    ) -> None:
        super().__init__(**{"dtype": "int32", **kwargs})
        if max_length is not None:
            checks.positive_int(max_length=max_length)
        if not isinstance(words, bool):
            checks.one_of("words", words, ("pieces",))
        if type(padding_id) is not int or not -1 <= padding_id < 2**31:
            raise ValueError(
                "`padding_id` must be an id, or -1 where no token is padding. Received: "
                f"padding_id={padding_id!r}"
            )
        if words is True and special_ids is not None:
            raise ValueError(
                "One id per word needs a vocabulary of `Tokenizer.train`. Received: words=True, "
                f"special_ids={special_ids!r}. Use words='pieces'."
            )
        checks.one_of("truncation_side", truncation_side, ("right", "left"))
        self.max_length = max_length
        self.truncation_side = truncation_side
        self.words = words
        self.padding_id = padding_id
        self._special = None if special_ids is None else SpecialIds.from_config(special_ids)
        self.supports_masking = True
        self._json: str | None = None
        self._read: Texts | None = None

    @classmethod
    def from_json(
        cls,
        json_or_path: str | os.PathLike | Mapping[str, Any],
        *,
        padding: str | None = None,
        start: str | None = None,
        end: str | Iterable[str] | None = None,
        separator: str | None = None,
        mask: str | None = None,
        max_length: int | None = None,
        truncation_side: str = "right",
        words: bool | str = False,
        name: str | None = "tokenizer",
    ) -> "Tokenizer":
        """Returns a layer with a published vocabulary: the `tokenizer.json` of a checkpoint.

        Special tokens stand around a text, and between those of a pair, where the file's
        post-processor puts them. Padding and truncation of the file are left out. Nothing that a
        stranger could put into a file runs: regular expressions other than those of published
        tokenizers, templates of chats and the like are refused or left out.

        With `words="pieces"`, each word is encoded by itself, as taggers are trained. A text is
        cut by `split`, so that a mark behind a name is no part of it whatever the vocabulary, and
        `first_pieces` tells where words begin. With `words=False` a text is encoded whole, and the
        words of `pieces` are those of the file's pre-tokenizer.

        Args:
            json_or_path: such a file's content, as a string or as its settings; or its path.
            padding: token that pads; if `None`, padding is -1, which is no token.
            start: token that texts begin with; if `None`, that of the post-processor.
            end: token that a text may end with, or several, beside that of the post-processor.
            separator: token between the texts of a pair; if `None`, that of the post-processor.
            mask: token for a gap that a model fills. It alone may stand in a text.
            max_length, truncation_side, name: of the layer.
            words: of the layer, `False` or `"pieces"`.

        Raises:
            FileNotFoundError: there is no such file.
            ImportError: `tokenizers` is not installed.
            ValueError: the file has what no published tokenizer has, a token is not in the
                vocabulary, or `max_length` has no room for a token beside special ones.
        """
        if words is True:
            raise ValueError(
                "A published vocabulary has pieces of words. Received: words=True. Use "
                "words='pieces', or `Tokenizer.train` for one id per word."
            )
        content, unknown = tokenizer_published.read(json_or_path, mask)
        checks.one_of("truncation_side", truncation_side, ("right", "left"))
        unnamed = SpecialIds(unknown=unknown)
        texts = Texts(content, unnamed, words, _find_words, truncation_side)
        named = {"padding": padding, "start": start, "separator": separator, "mask": mask}
        texts.special, padding_id = texts.find_special(named, end)
        room = len(texts.single)
        if max_length is not None and max_length <= room:
            raise ValueError(
                f"`max_length` must have room for a token beside the {room} special ones. "
                f"Received: max_length={max_length}"
            )
        special = texts.special.get_config()
        layer = cls(max_length, words, padding_id, special, truncation_side, name=name)
        layer._json, layer._read = content, texts
        return layer

    @classmethod
    def train(
        cls,
        texts: Iterable[Any],
        *,
        vocabulary_size: int = 8000,
        model: str = "bpe",
        lowercase: bool | None = None,
        min_frequency: int = 2,
        max_length: int | None = None,
        words: bool = False,
        start_end: bool = False,
        name: str | None = "tokenizer",
    ) -> "Tokenizer":
        """Returns a layer with the vocabulary of `texts`.

        Args:
            texts: strings; or lists of words, if `words`.
            vocabulary_size: ids at most, padding and the like included.
            model: `"bpe"`, `"wordpiece"`, `"word"` or `"character"`.
            lowercase: whether upper and lower case are the same; by default they are, except of
                characters, which come back from `decode` as they were.
            min_frequency: how often a word, a pair or a character must occur to be in the
                vocabulary.
            max_length, words, name: of the layer. `words` goes with `model="word"`.
            start_end: whether texts begin with a start and end with an end.
        """
        checks.one_of("model", model, tokenizer_training.MODELS)
        checks.positive_int(vocabulary_size=vocabulary_size, min_frequency=min_frequency)
        if words and (model != "word" or start_end):
            raise ValueError(
                "One id per word needs whole words as tokens, and nothing else. Received: "
                f"words=True, model={model!r}, start_end={start_end}. Use model='word' and "
                "start_end=False."
            )
        if start_end and max_length is not None and max_length < 3:
            raise ValueError(
                "`max_length` must have room for a token between start and end. Received: "
                f"max_length={max_length}, start_end=True"
            )
        layer = cls(max_length=max_length, words=words, name=name)
        layer._set(
            tokenizer_training.train(
                texts,
                model,
                lowercase=model != "character" if lowercase is None else lowercase,
                size=vocabulary_size,
                min_frequency=min_frequency,
                start_end=start_end,
                split=cls.split if words else None,
            )
        )
        return layer

    def copy(self, *, name: str) -> "Tokenizer":
        """Returns a layer with the same vocabulary, for another input of a model."""
        layer = type(self).from_config({**self.get_config(), "name": name})
        layer._set(self._json)
        return layer

    @property
    def has_vocabulary(self) -> bool:
        """Whether there is a vocabulary. Without one the layer reads nothing but ids."""
        return self._json is not None

    @property
    def vocabulary_size(self) -> int:
        """Number of ids, padding and the like included."""
        return len(self._texts.vocabulary)

    @property
    def vocabulary(self) -> list[str]:
        """The tokens in the order of their ids; `""` where an id has none."""
        return list(self._texts.vocabulary)

    @property
    def start_id(self) -> int | None:
        """The id at the start of every text; `None` if there is none."""
        return self._special_ids.start

    @property
    def end_id(self) -> int | None:
        """The id at the end of every text; `None` if there is none."""
        return next(iter(self.end_ids), None)

    @property
    def end_ids(self) -> tuple[int, ...]:
        """The ids that end a text, `end_id` first; a model that writes may choose among them."""
        return self._special_ids.end

    @property
    def separator_id(self) -> int | None:
        """The id between the texts of a pair; `None` if there is none."""
        return self._special_ids.separator

    @property
    def mask_id(self) -> int | None:
        """The id of a gap that a model fills; `None` if there is none."""
        return self._special_ids.mask

    @property
    def unknown_id(self) -> int | None:
        """The id of what is not in the vocabulary; `None` if there is none."""
        return self._special_ids.unknown

    @property
    def _special_ids(self) -> SpecialIds:
        if self._special is not None:
            return self._special
        return self._texts.special if self.has_vocabulary else SpecialIds()

    def encode(self, texts: Iterable[Any], *, end: bool = True, whole: bool = False) -> np.ndarray:
        """Returns ids `(B, T)` int32 of texts, T being that of the longest; ids themselves pass.

        Args:
            texts: strings, or pairs of them as tuples; or lists of words, if `words`; as a list,
                an array or a series. Or integers, `(B, T)` or rows of them.
            end: whether texts are complete, and so have their end; where the vocabulary has one.
            whole: whether texts beyond `max_length` tokens stay as they are. Else of a pair the
                longer text is cut first.

        Raises:
            TypeError: it is one text, or a row is none.
            ValueError: a text has half a character, or there is no vocabulary.
        """
        given = batches.ids("token_ids", texts, "(B, T)", padding=self.padding_id)
        if given is not None:
            return given
        limit = None if whole else self.max_length
        rows = self._texts.ids(batches.items("texts", texts, "texts"), end=end, limit=limit)
        return self._pad(rows, self.padding_id)

    def decode(self, token_ids: Any) -> list[str]:
        """Returns the texts of ids `(B, T)`, without padding, unknown, start and end.

        Bytes that are not a complete character become the replacement character.
        """
        rows = np.asarray(ops.convert_to_numpy(token_ids))
        checks.rank("token_ids", rows.shape, "(B, T)")
        hidden = [self.padding_id, -1 if self.mask_id is None else self.mask_id]
        return self._texts.decode([row[~np.isin(row, hidden)].tolist() for row in rows])

    def tokens(self, text: Any) -> list[str]:
        """Returns the piece of a text that each id stands for, as a reader would write it.

        They are the labels of pictures. Special tokens have the names that the vocabulary has.
        """
        return [written for _, written in self._texts.pieces(text, limit=self.max_length)]

    def pieces(self, text: Any) -> list[Piece]:
        """Returns which part of a text each of its ids stands for, as `encode` gives them.

        Args:
            text: a string or a pair; or a list of words, if `words`.
        """
        return [piece for piece, _ in self._texts.pieces(text, limit=self.max_length)]

    def first_pieces(self, texts: Iterable[Any]) -> np.ndarray:
        """Returns `(B, T)` int32: the number of the word that begins at an id, or else -1.

        A tagger's answer to a word is that at its first piece, as in Devlin et al., 2019
        (https://arxiv.org/abs/1810.04805, section 5.3). A word that `max_length` cuts off, or that
        has no piece, begins nowhere.

        Args:
            texts: as `encode` takes them.
        """
        rows = [
            self._texts.first_pieces(text, limit=self.max_length)
            for text in batches.items("texts", texts, "texts")
        ]
        return self._pad(rows, -1)

    @staticmethod
    def split(text: str) -> list[str]:
        """Returns the words and marks of a text."""
        return _WORD.findall(text)

    @staticmethod
    def _pad(rows: list[list[int]], padding: int) -> np.ndarray:
        """Returns rows as `(B, T)` int32, T being the longest but at least 1."""
        padded = np.full((len(rows), max([1, *map(len, rows)])), padding, np.int32)
        for target, row in zip(padded, rows, strict=True):
            target[: len(row)] = row
        return padded

    @property
    def _texts(self) -> Texts:
        if self._read is None:
            if self._json is None:
                raise ValueError(
                    f"The layer {self.name!r} has no vocabulary. Make it with `Tokenizer.train`, "
                    "or load a model that was saved with one."
                )
            self._read = Texts(
                self._json, self._special, self.words, _find_words, self.truncation_side
            )
        return self._read

    def _set(self, json: str | None) -> None:
        self._json, self._read = json, None

    def save_assets(self, dir_path: str) -> None:
        if self._json is not None:
            Path(dir_path, _FILE).write_text(self._json, encoding="utf-8")

    def load_assets(self, dir_path: str | None) -> None:
        file = Path(dir_path or "", _FILE)  # Keras gives `None` where a file has no assets at all
        if dir_path and file.exists():  # not of a layer that was saved without a vocabulary
            content = file.read_text(encoding="utf-8")
            tokenizer_file.check(content)
            self._set(content)
            if find_spec("tokenizers"):  # without it the layer reads nothing but ids
                _ = self._texts

    def build(self, token_ids_shape: tuple) -> None:
        checks.rank("token_ids", token_ids_shape, "(B, T)")
        self.built = True

    def call(self, token_ids: Any) -> Any:
        ids = ops.cast(token_ids, "int32")
        return ids if self.padding_id >= 0 else ops.maximum(ids, 0)

    def compute_mask(self, token_ids: Any, previous_mask: Any = None) -> Any:
        return masks.both(
            ops.not_equal(ops.cast(token_ids, "int32"), self.padding_id), previous_mask
        )

    def compute_output_shape(self, token_ids_shape: tuple) -> tuple:
        checks.rank("token_ids", token_ids_shape, "(B, T)")
        return tuple(token_ids_shape)

    def compute_output_spec(self, token_ids: Any) -> keras.KerasTensor:
        return keras.KerasTensor(self.compute_output_shape(token_ids.shape), dtype="int32")

    def get_config(self) -> dict[str, Any]:
        config = {**super().get_config(), "max_length": self.max_length, "words": self.words}
        # Where they are those of `train`, files stay as they were before there were others.
        if self.padding_id != PAD:
            config["padding_id"] = self.padding_id
        if self._special is not None:
            config["special_ids"] = self._special.get_config()
        if self.truncation_side != "right":
            config["truncation_side"] = self.truncation_side
        return config


def _find_words(text: str) -> list[tuple[int, int]]:
    """Returns where the words of `Tokenizer.split` are in a text."""
    return [word.span() for word in _WORD.finditer(text)]
