"""Text to token ids: the first node of a text model."""

import re
from collections.abc import Iterable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_attention.layers.entrance import Entrance, tensors
from keras_attention.layers.inputs import tokenizer_file, tokenizer_training
from keras_attention.ops import batches, checks

PAD, UNKNOWN, START, END = range(4)
_SPECIAL = ["[PAD]", "[UNK]", "[START]", "[END]"]
_FILE = "tokenizer.json"
_WORD = re.compile(tokenizer_file.WORD)


@keras.saving.register_keras_serializable(package="keras_attention")
class Tokenizer(Entrance, keras.layers.Layer):
    """Turns text to token ids, outside the graph; inside it, ids pass and get their mask.

    As the first node of a model it carries the vocabulary in the `.keras` file, so that the file
    alone goes from text to an answer (`ka.predict`). Byte pairs (Sennrich et al., 2016,
    https://arxiv.org/abs/1508.07909, on bytes, so that no text is unknown), word pieces
    (Schuster and Nakajima, 2012), whole words or single characters, by the `tokenizers` library.

    Id 0 is padding, which the mask hides; id 1 stands for what is not in the vocabulary, which
    byte pairs never meet. A vocabulary may have a start (id 2) and an end (id 3) of texts, for
    models that write. Text beyond `max_length` tokens is cut off at its end. Text without tokens
    becomes a row of padding, or start and end.

    Args:
        max_length: tokens of a text that are kept, start and end included; all if `None`.
        words: one id per word, for taggers. Texts are cut into words by `split`, or are lists of
            words already.

    Call arguments:
        token_ids: `(B, T)` integers, padded with 0.

    Output:
        `token_ids` as int32, with the mask `token_ids != 0`.

    Raises:
        ImportError: `tokenizers` is not installed, where text is to be encoded.
        ValueError: the layer has no vocabulary.
    """

    takes = tensors(token_ids="integers (B, T)")

    encodes = "texts"

    def __init__(self, max_length: int | None = None, words: bool = False, **kwargs: Any) -> None:
        super().__init__(**{"dtype": "int32", **kwargs})
        if max_length is not None:
            checks.positive_int(max_length=max_length)
        self.max_length = max_length
        self.words = words
        self.supports_masking = True
        self._json: str | None = None
        self._library: Any = None

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
        lowercase = model != "character" if lowercase is None else lowercase
        special = _SPECIAL if start_end else _SPECIAL[:START]
        library, trainer = tokenizer_training.make_untrained(
            _import_tokenizers(), model, lowercase, vocabulary_size, min_frequency, special
        )
        if isinstance(texts, (str, bytes)):
            raise TypeError(f"`texts` must be a list of texts. Received: {batches.short(texts)}")
        content = (
            batches.words(text, row, layer.split) if words else batches.text(text, row)
            for row, text in enumerate(texts)
        )
        library.train_from_iterator(content, trainer)
        if words:  # the words are cut by `split`; each is looked up whole
            library.pre_tokenizer = None
        layer._set(library.to_str())
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
        return self._tokenizer.get_vocab_size()

    @property
    def vocabulary(self) -> list[str]:
        """The tokens in the order of their ids."""
        return [self._tokenizer.id_to_token(i) for i in range(self.vocabulary_size)]

    @property
    def start_id(self) -> int | None:
        """The id at the start of every text; `None` if the vocabulary has no start and end."""
        return START if self._has_ends else None

    @property
    def end_id(self) -> int | None:
        """The id at the end of every text; `None` if the vocabulary has no start and end."""
        return END if self._has_ends else None

    @property
    def _has_ends(self) -> bool:
        if not self.has_vocabulary:
            return False
        added = self._tokenizer.get_added_tokens_decoder()  # not a word that looks like one
        return START in added and added[START].content == _SPECIAL[START]

    def encode(self, texts: Iterable[Any], *, end: bool = True, whole: bool = False) -> np.ndarray:
        """Returns ids `(B, T)` int32 of texts, T being that of the longest; ids themselves pass.

        Args:
            texts: strings; or lists of words, if `words`; as a list, an array or a series. Or
                integers, `(B, T)` or rows of them.
            end: whether texts are complete, and so have their end; where the vocabulary has one.
            whole: whether texts beyond `max_length` tokens stay as they are.

        Raises:
            TypeError: it is one text, or a row is none.
            ValueError: a text has half a character, or there is no vocabulary.
        """
        given = batches.ids("token_ids", texts, "(B, T)")
        if given is not None:
            return given
        ends = self._get_ends(end)
        limit = None if whole else self.max_length
        rows = [
            self._frame(self._encode_text(text, number), *ends, limit)
            for number, text in enumerate(batches.items("texts", texts, "texts"))
        ]
        ids = np.full((len(rows), max([1, *map(len, rows)])), PAD, np.int32)
        for padded, text_ids in zip(ids, rows, strict=True):
            padded[: len(text_ids)] = text_ids
        return ids

    def decode(self, token_ids: Any) -> list[str]:
        """Returns the texts of ids `(B, T)`, without padding, unknown, start and end.

        Bytes that are not a complete character become the replacement character.
        """
        rows = np.asarray(ops.convert_to_numpy(token_ids))
        checks.rank("token_ids", rows.shape, "(B, T)")
        if self.words:
            vocabulary = self.vocabulary
            return [" ".join(vocabulary[i] for i in row if i > UNKNOWN) for row in rows]
        decode = partial(self._tokenizer.decode_batch, skip_special_tokens=True)
        texts = tokenizer_file.call(decode, rows.tolist())
        if getattr(self._tokenizer.pre_tokenizer, "add_prefix_space", False):  # byte pairs
            return [text.removeprefix(" ") for text in texts]
        return texts

    def tokens(self, text: Any) -> list[str]:
        """Returns the piece of a text that each id stands for, as a reader would write it.

        They are the labels of pictures.
        """
        if self.words:
            return batches.words(text, 0, self.split)[: self.max_length]
        encoding = self._encode_string(batches.text(text, 0))
        pieces = [text[start:end] or "?" for start, end in encoding.offsets]
        pieces = [piece.strip() or piece for piece in pieces]
        before, after = ([_SPECIAL[i] for i in ids] for ids in self._get_ends(True))
        return self._frame(pieces, before, after, self.max_length)

    @staticmethod
    def split(text: str) -> list[str]:
        """Returns the words and marks of a text."""
        return _WORD.findall(text)

    def _encode_text(self, text: Any, row: int) -> list[int]:
        """Returns the ids of a text, without start and end."""
        if not self.words:
            return self._encode_string(batches.text(text, row)).ids
        normalizer = self._tokenizer.normalizer
        ids = (
            self._tokenizer.token_to_id(
                word if normalizer is None else tokenizer_file.call(normalizer.normalize_str, word)
            )
            for word in batches.words(text, row, self.split)
        )
        return [UNKNOWN if i is None or i == PAD else i for i in ids]

    def _get_ends(self, end: bool) -> tuple[list[int], list[int]]:
        """Returns the ids before a text and those after it."""
        return ([START], [END] if end else []) if self._has_ends else ([], [])

    @staticmethod
    def _frame(content: list, before: list, after: list, limit: int | None) -> list:
        """Returns `before`, as much of `content` as fits within `limit` in all, and `after`."""
        if limit is not None:
            content = content[: max(0, limit - len(before) - len(after))]
        return [*before, *content, *after]

    @property
    def _tokenizer(self) -> Any:
        if self._library is None:
            if self._json is None:
                raise ValueError(
                    f"The layer {self.name!r} has no vocabulary. Make it with `Tokenizer.train`, "
                    "or load a model that was saved with one."
                )
            library = tokenizer_file.call(_import_tokenizers().Tokenizer.from_str, self._json)
            library.encode_special_tokens = True  # "[END]" in a text ends nothing
            self._library = library
        return self._library

    def _encode_string(self, text: str) -> Any:
        return tokenizer_file.call(self._tokenizer.encode, text)

    def _set(self, json: str | None) -> None:
        self._json, self._library = json, None

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
                _ = self._tokenizer

    def build(self, token_ids_shape: tuple) -> None:
        checks.rank("token_ids", token_ids_shape, "(B, T)")
        self.built = True

    def call(self, token_ids: Any) -> Any:
        return ops.cast(token_ids, "int32")

    def compute_mask(self, token_ids: Any, previous_mask: Any = None) -> Any:
        mask = ops.not_equal(token_ids, PAD)
        return mask if previous_mask is None else ops.logical_and(mask, previous_mask)

    def compute_output_shape(self, token_ids_shape: tuple) -> tuple:
        checks.rank("token_ids", token_ids_shape, "(B, T)")
        return tuple(token_ids_shape)

    def compute_output_spec(self, token_ids: Any) -> keras.KerasTensor:
        return keras.KerasTensor(self.compute_output_shape(token_ids.shape), dtype="int32")

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "max_length": self.max_length, "words": self.words}


def _import_tokenizers() -> Any:
    try:
        import tokenizers
    except ImportError as error:
        raise ImportError(
            'Text needs the tokenizers library: python -m pip install "keras-attention[text]"'
        ) from error
    return tokenizers
