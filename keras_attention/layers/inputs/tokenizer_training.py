"""Tokenizers of each kind, before they learn their vocabulary."""

from collections.abc import Callable, Iterable
from typing import Any

from keras_attention.layers.inputs import tokenizer_file, tokenizer_patterns
from keras_attention.layers.inputs.tokenizer_text import SPECIAL, START
from keras_attention.ops import batches

MODELS = ("bpe", "wordpiece", "word", "character")


def train(
    texts: Iterable[Any],
    model: str,
    *,
    lowercase: bool,
    size: int,
    min_frequency: int,
    start_end: bool,
    split: Callable[[str], list[str]] | None,
) -> str:
    """Returns the `tokenizer.json` of a vocabulary.

    Args:
        texts: strings; or lists of words, or strings that `split` cuts into words.
        model, lowercase, size, min_frequency: as of `make_untrained`.
        start_end: whether there are a start and an end of texts.
        split: cuts a text into words, if each is one id.
    """
    special = SPECIAL if start_end else SPECIAL[:START]
    library, trainer = make_untrained(
        tokenizer_file.import_library(), model, lowercase, size, min_frequency, special
    )
    if isinstance(texts, (str, bytes)):
        raise TypeError(f"`texts` must be a list of texts. Received: {batches.short(texts)}")
    content = (
        batches.text(text, row) if split is None else batches.words(text, row, split)
        for row, text in enumerate(texts)
    )
    library.train_from_iterator(content, trainer)
    if split is not None:  # the words are cut already; each is looked up whole
        library.pre_tokenizer = None
    content_of_file: str = library.to_str()
    return content_of_file


def make_untrained(
    library: Any, model: str, lowercase: bool, size: int, min_frequency: int, special: list[str]
) -> tuple[Any, Any]:
    """Returns a tokenizer of the `tokenizers` library, and its trainer.

    Args:
        library: the module.
        model: one of `MODELS`.
        lowercase: whether upper and lower case are the same.
        size, min_frequency: of the vocabulary.
        special: tokens with the first ids; the second stands for what is unknown.
    """
    normalizers, cuts = library.normalizers, library.pre_tokenizers
    options = {
        "vocab_size": size,
        "min_frequency": min_frequency,
        "special_tokens": special,
        "show_progress": False,
    }
    unknown = special[1]
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
            pattern = library.Regex(tokenizer_patterns.WORD)
            tokenizer.pre_tokenizer = cuts.Split(pattern, "removed", invert=True)
            tokenizer.decoder = library.decoders.WordPiece()  # which puts spaces between words
        else:
            pattern = library.Regex(tokenizer_patterns.CHARACTER)
            tokenizer.pre_tokenizer = cuts.Split(pattern, "isolated")
            tokenizer.decoder = library.decoders.Fuse()
        trainer = library.trainers.WordLevelTrainer(**options)
    steps = [normalizers.NFC(), *([normalizers.Lowercase()] if lowercase else [])]
    tokenizer.normalizer = normalizers.Sequence(steps)
    return tokenizer, trainer
