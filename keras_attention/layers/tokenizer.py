"""Text to token ids: the first node of a text model."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_attention.layers.entrance import Entrance, tensors
from keras_attention.ops import checks

PAD, UNKNOWN, START, END = range(4)
_SPECIAL = ["[PAD]", "[UNK]", "[START]", "[END]"]
_MODELS = ("bpe", "wordpiece", "word", "character")
_FILE = "tokenizer.json"
# Words as treebanks cut them: addresses whole, "do n't", "he 's", numbers with their separators,
# each other mark by itself.
_WORD = re.compile(
    r"https?://\S+|[@#]\w+|\w+(?=n['’]t\b)|n['’]t\b|['’](?:s|re|ve|ll|d|m)\b"  # noqa: RUF001
    r"|\d+(?:[.,:]\d+)*(?!\w)|\w+(?:-\w+)*|[^\w\s]"
)


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
        """A layer with the vocabulary of `texts`.

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
        checks.one_of("model", model, _MODELS)
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
        library, trainer = _untrained(model, lowercase, vocabulary_size, min_frequency, special)
        if words:
            texts = (split if isinstance(split, list) else layer.split(split) for split in texts)
        library.train_from_iterator(texts, trainer)
        if words:  # the words are cut by `split`; each is looked up whole
            library.pre_tokenizer = None
        layer._set(library.to_str())
        return layer

    def copy(self, *, name: str) -> "Tokenizer":
        """A layer with the same vocabulary, for another input of a model."""
        layer = type(self).from_config({**self.get_config(), "name": name})
        layer._set(self._json)
        return layer

    @property
    def has_vocabulary(self) -> bool:
        """Whether there is a vocabulary; without one, ids alone are read."""
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
        """What every text begins with; `None` where no vocabulary has a start and an end."""
        return START if self._has_ends else None

    @property
    def end_id(self) -> int | None:
        """What every text ends with; `None` where no vocabulary has a start and an end."""
        return END if self._has_ends else None

    @property
    def _has_ends(self) -> bool:
        if not self.has_vocabulary:
            return False
        added = self._tokenizer.get_added_tokens_decoder()  # not a word that looks like one
        return START in added and added[START].content == _SPECIAL[START]

    def encode(
        self, texts: Sequence[Any] | np.ndarray, *, end: bool = True, whole: bool = False
    ) -> np.ndarray:
        """Ids `(B, T)` int32 of texts, T being that of the longest; ids themselves pass.

        Args:
            texts: strings; or lists of words, if `words`; or integers `(B, T)`.
            end: whether texts are complete, and so have their end; where the vocabulary has one.
            whole: whether texts beyond `max_length` tokens stay as they are.
        """
        if isinstance(texts, np.ndarray) and texts.dtype.kind in "iu":
            checks.rank("token_ids", texts.shape, "(B, T)")
            return texts.astype(np.int32)
        if isinstance(texts, str):
            raise TypeError(f"`texts` must be a list of texts. Received: the text {texts[:50]!r}")
        ends = self._ends(end)
        limit = None if whole else self.max_length
        rows = [self._framed(self._ids(text), *ends, limit) for text in texts]
        ids = np.full((len(rows), max([1, *map(len, rows)])), PAD, np.int32)
        for row, found in zip(ids, rows, strict=True):
            row[: len(found)] = found
        return ids

    def decode(self, token_ids: Any) -> list[str]:
        """The texts of ids `(B, T)`, without padding, unknown, start and end.

        Bytes that are no complete character, as in the midst of one, become the replacement
        character.
        """
        rows = np.asarray(ops.convert_to_numpy(token_ids))
        checks.rank("token_ids", rows.shape, "(B, T)")
        if self.words:
            vocabulary = self.vocabulary
            return [" ".join(vocabulary[i] for i in row if i > UNKNOWN) for row in rows]
        texts = self._tokenizer.decode_batch(rows.tolist(), skip_special_tokens=True)
        if getattr(self._tokenizer.pre_tokenizer, "add_prefix_space", False):  # byte pairs
            return [text.removeprefix(" ") for text in texts]
        return texts

    def tokens(self, text: Any) -> list[str]:
        """What the ids of one text stand for, as a reader would write it: labels of pictures."""
        if self.words:
            return (text if isinstance(text, list) else self.split(text))[: self.max_length]
        encoding = self._tokenizer.encode(text)
        pieces = [text[start:end] or "?" for start, end in encoding.offsets]
        pieces = [piece.strip() or piece for piece in pieces]
        before, after = ([_SPECIAL[i] for i in ids] for ids in self._ends(True))
        return self._framed(pieces, before, after, self.max_length)

    @staticmethod
    def split(text: str) -> list[str]:
        """A text cut into words and marks."""
        return _WORD.findall(text)

    def _ids(self, text: Any) -> list[int]:
        if not self.words:
            if not isinstance(text, str):
                raise TypeError(f"A text must be a string. Received: {text!r}")
            return self._tokenizer.encode(text).ids
        normalize = self._tokenizer.normalizer.normalize_str
        found = (
            self._tokenizer.token_to_id(normalize(word))
            for word in (self.split(text) if isinstance(text, str) else text)
        )
        return [UNKNOWN if i is None or i == PAD else i for i in found]

    def _ends(self, end: bool) -> tuple[list[int], list[int]]:
        """The ids before a text and those after it."""
        return ([START], [END] if end else []) if self._has_ends else ([], [])

    @staticmethod
    def _framed(content: list, before: list, after: list, limit: int | None) -> list:
        """Content between what comes before and after it, `limit` together."""
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
            self._library = _tokenizers().Tokenizer.from_str(self._json)
            self._library.encode_special_tokens = True  # "[END]" in a text ends nothing
        return self._library

    def _set(self, json: str | None) -> None:
        self._json, self._library = json, None

    def save_assets(self, dir_path: str) -> None:
        if self._json is not None:
            Path(dir_path, _FILE).write_text(self._json, encoding="utf-8")

    def load_assets(self, dir_path: str) -> None:
        file = Path(dir_path, _FILE)
        if file.exists():  # not of a layer that was saved without a vocabulary
            self._set(file.read_text(encoding="utf-8"))

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


def _untrained(
    model: str, lowercase: bool, size: int, min_frequency: int, special: list[str]
) -> tuple[Any, Any]:
    """A tokenizer of the library, and what trains it."""
    library = _tokenizers()
    normalizers, cuts = library.normalizers, library.pre_tokenizers
    options = {
        "vocab_size": size,
        "min_frequency": min_frequency,
        "special_tokens": special,
        "show_progress": False,
    }
    unknown = _SPECIAL[UNKNOWN]
    if model == "bpe":
        tokenizer = library.Tokenizer(library.models.BPE())
        tokenizer.pre_tokenizer = cuts.ByteLevel(add_prefix_space=True)
        tokenizer.decoder = library.decoders.ByteLevel()
        trainer = library.trainers.BpeTrainer(initial_alphabet=cuts.ByteLevel.alphabet(), **options)
    elif model == "wordpiece":
        tokenizer = library.Tokenizer(library.models.WordPiece(unk_token=unknown))
        tokenizer.pre_tokenizer = cuts.BertPreTokenizer()
        tokenizer.decoder = library.decoders.WordPiece()
        trainer = library.trainers.WordPieceTrainer(**options)
    else:
        tokenizer = library.Tokenizer(library.models.WordLevel(unk_token=unknown))
        if model == "word":
            pattern = library.Regex(_WORD.pattern)
            tokenizer.pre_tokenizer = cuts.Split(pattern, "removed", invert=True)
            tokenizer.decoder = library.decoders.WordPiece()  # which puts spaces between words
        else:
            tokenizer.pre_tokenizer = cuts.Split(library.Regex(r"[\s\S]"), "isolated")
            tokenizer.decoder = library.decoders.Fuse()
        trainer = library.trainers.WordLevelTrainer(**options)
    steps = [normalizers.NFC(), *([normalizers.Lowercase()] if lowercase else [])]
    tokenizer.normalizer = normalizers.Sequence(steps)
    return tokenizer, trainer


def _tokenizers() -> Any:
    try:
        import tokenizers
    except ImportError as error:
        raise ImportError(
            'Text needs the tokenizers library: python -m pip install "keras-attention[zoo]"'
        ) from error
    return tokenizers
