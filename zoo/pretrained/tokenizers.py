"""Tokenizers of published checkpoints, of whatever files they have."""

from collections.abc import Iterable, Mapping
from typing import Any

import keras_attention as ka
from zoo.pretrained import sentencepiece, vocabularies
from zoo.pretrained.config import Config
from zoo.pretrained.vocabularies import SpecialTokens, find_ids

_NO_LENGTH = 10**6  # what transformers writes for no length at all is far above
_CLEANED = (" .", " ?", " !", " ,", " ' ", " n't", " 'm", " 's", " 've", " 're")


def read(
    checkpoint: Any, *, max_length: int | None = None, words: bool | str = False
) -> ka.layers.Tokenizer:
    """Returns the tokenizer of a checkpoint, which gives the ids that `transformers` gives.

    It is read from `tokenizer.json`; else from `vocab.txt`, from `vocab.json` and `merges.txt`, or
    from a model of sentencepiece. Special tokens are named by `tokenizer_config.json`,
    `special_tokens_map.json`, `generation_config.json` and `config.json`. A template of chats is
    never run. A special token in a text is text, but for the mask.

    Args:
        checkpoint: has `text(name)` and `content(name)`, of a file's characters and bytes or
            `None`, and `json(name)`, of an object that is empty where there is no file.
        max_length: tokens that the model reads at most; the file may allow fewer.
        words: as `Tokenizer.from_json` takes it.

    Raises:
        FileNotFoundError: there is none of these files.
        ValueError: a file is damaged, has what is not known here, or more tokens than the model.
    """
    config = _read_object(checkpoint, "config.json")
    options = _read_object(checkpoint, "tokenizer_config.json")
    mapped = _read_object(checkpoint, "special_tokens_map.json")
    said = {key: value for key, value in options.items() if value is not None}
    named = SpecialTokens({**mapped, **said})
    settings = _read_vocabulary(checkpoint, named, options, config)
    _follow(settings, options, named)
    ids = find_ids(settings)
    ends = _find_ends(ids, named, config, _read_object(checkpoint, "generation_config.json"))
    lengths = [max_length, options.get("model_max_length")]
    lengths = [n for n in lengths if isinstance(n, int) and 0 < n < _NO_LENGTH]
    layer = ka.layers.Tokenizer.from_json(
        settings,
        padding=_find_padding(ids, named, config, ends),
        end=ends,
        separator=named.find("sep", ids),
        mask=named.find("mask", ids),
        max_length=min(lengths, default=None),
        truncation_side=Config(options, name="tokenizer_config.json").choose(
            "truncation_side", {"right": "right", "left": "left"}, "right"
        ),
        words=words,
    )
    size = config.get("vocab_size", layer.vocabulary_size)
    if isinstance(size, int) and layer.vocabulary_size > size:
        raise ValueError(
            f"The tokenizer has {layer.vocabulary_size} tokens, and the model has embeddings for "
            f"{size}. Are its files those of another model?"
        )
    return layer


def _read_object(checkpoint: Any, name: str) -> Mapping[str, Any]:
    value = checkpoint.json(name)
    if not isinstance(value, Mapping):
        raise ValueError(f"{name} must be an object. Received: {type(value).__name__}")
    return value


def _read_vocabulary(
    checkpoint: Any, named: SpecialTokens, options: Mapping[str, Any], config: Mapping[str, Any]
) -> dict[str, Any]:
    """Returns the settings of a `tokenizer.json`, or those that other files stand for."""
    settings = checkpoint.json("tokenizer.json")
    if settings:
        if not isinstance(settings, dict) or not isinstance(settings.get("model"), dict):
            raise ValueError("tokenizer.json must be an object with a model.")
        return settings
    pieces, merges = checkpoint.text("vocab.txt"), checkpoint.text("merges.txt")
    models = (checkpoint.content(name) for name in sentencepiece.FILES)
    model = next((content for content in models if content is not None), None)
    if pieces is None and merges is None and model is None:
        raise FileNotFoundError(
            "The checkpoint has no tokenizer.json, vocab.txt, vocab.json with merges.txt, nor "
            f"{' or '.join(sentencepiece.FILES)}."
        )
    kind = vocabularies.find_kind(options, config)
    if pieces is not None:
        return vocabularies.read_word_pieces(pieces, kind, named, options)
    if merges is not None:
        vocabulary = _read_object(checkpoint, "vocab.json")
        return vocabularies.read_byte_pairs(vocabulary, merges, kind, named, options)
    return sentencepiece.read(model, kind, named, options)


def _follow(settings: dict[str, Any], options: Mapping[str, Any], named: SpecialTokens) -> None:
    """Changes the settings as `tokenizer_config.json` says, which counts more."""
    normalizer, cut = settings.get("normalizer"), settings.get("pre_tokenizer")
    if isinstance(normalizer, dict) and normalizer.get("type") == "BertNormalizer":
        for ours, theirs in (
            ("lowercase", "do_lower_case"),
            ("strip_accents", "strip_accents"),
            ("handle_chinese_chars", "tokenize_chinese_chars"),
        ):
            normalizer[ours] = options.get(theirs, normalizer.get(ours))
    if isinstance(cut, dict) and cut.get("type") == "ByteLevel":
        cut["add_prefix_space"] = options.get("add_prefix_space", cut.get("add_prefix_space"))
    ids = find_ids(settings)
    vocabularies.add_special(settings, named, ids)
    decoder = settings.get("decoder")
    cleans = options.get("clean_up_tokenization_spaces") and settings["model"].get("type") != "BPE"
    if cleans and isinstance(decoder, dict):
        # As `transformers` does behind the decoder, on the whole text.
        first = decoder.get("decoders") if decoder.get("type") == "Sequence" else [decoder]
        replace = [
            {"type": "Replace", "pattern": {"String": marks}, "content": marks.replace(" ", "")}
            for marks in _CLEANED
        ]
        steps = [*(first or []), {"type": "Fuse"}, *replace]
        settings["decoder"] = {"type": "Sequence", "decoders": steps}


def _find_ends(
    ids: Mapping[str, int],
    named: SpecialTokens,
    config: Mapping[str, Any],
    generation: Mapping[str, Any],
) -> list[str]:
    """Returns the tokens that may end a text which the model writes."""
    tokens = {i: token for token, i in ids.items()}
    given = generation.get("eos_token_id", config.get("eos_token_id"))
    listed: Iterable = given if isinstance(given, list) else [given]
    # A model of fewer tokens may name the end of the model that it was made of.
    ends = [named.find("eos", ids), *(tokens.get(i) for i in listed if isinstance(i, int))]
    return [*dict.fromkeys(filter(None, ends))]


def _find_padding(
    ids: Mapping[str, int], named: SpecialTokens, config: Mapping[str, Any], ends: Iterable[str]
) -> str | None:
    """Returns the token of padding.

    There is none where the token that pads has another meaning too, as in models that write: the
    mask would hide it where it means that.
    """
    number = config.get("pad_token_id")
    token = named.find("pad", ids)
    if token is None:
        token = next((token for token, i in ids.items() if i == number), None)
    others = [named.find(name, ids) for name in ("bos", "eos", "sep", "cls", "unk")]
    return None if token in ends or token in others else token
