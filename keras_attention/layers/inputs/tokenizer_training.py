"""Tokenizers of each kind, before they learn their vocabulary."""

from typing import Any

from keras_attention.layers.inputs import tokenizer_file

MODELS = ("bpe", "wordpiece", "word", "character")


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
            pattern = library.Regex(tokenizer_file.WORD)
            tokenizer.pre_tokenizer = cuts.Split(pattern, "removed", invert=True)
            tokenizer.decoder = library.decoders.WordPiece()  # which puts spaces between words
        else:
            pattern = library.Regex(tokenizer_file.CHARACTER)
            tokenizer.pre_tokenizer = cuts.Split(pattern, "isolated")
            tokenizer.decoder = library.decoders.Fuse()
        trainer = library.trainers.WordLevelTrainer(**options)
    steps = [normalizers.NFC(), *([normalizers.Lowercase()] if lowercase else [])]
    tokenizer.normalizer = normalizers.Sequence(steps)
    return tokenizer, trainer
