"""Checks of the vocabulary in a `tokenizer.json`, which may come from a stranger."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

_LONGEST = 64  # characters of a setting
_LONGEST_WORD = 1000  # of word pieces, whose search is quadratic in it; of a piece of Unigram
_MOST_GAPS = 1024  # ids that no token has, beside as many as there are tokens
_MODELS = {
    "BPE": {
        "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk",
        "byte_fallback", "ignore_merges", "vocab", "merges",
    },
    "WordPiece": {"unk_token", "continuing_subword_prefix", "max_input_chars_per_word", "vocab"},
    "WordLevel": {"unk_token", "vocab"},
    "Unigram": {"unk_id", "byte_fallback", "vocab"},
}  # fmt: skip


def check(model: Any, added: Any) -> None:
    """Raises `ValueError` if a model or the tokens beside it may do harm."""
    vocabulary = _check_model(model)
    pieces = [piece for piece, _ in model["vocab"]] if model["type"] == "Unigram" else []
    _check_ids(vocabulary)
    _check_added(added, vocabulary, pieces)


def make_refusal(where: str, value: Any) -> ValueError:
    return ValueError(
        "tokenizer.json has something that neither a layer of this package nor a tokenizer it "
        f"knows has. In {where.strip()}: {shorten(value)}"
    )


def shorten(value: Any) -> str:
    shown = ascii(value)
    return shown if len(shown) <= 100 else f"{shown[:97]}..."


def _check_model(model: Any) -> Mapping[str, int]:
    """Checks the model, and returns its vocabulary."""
    kind = model.get("type") if isinstance(model, dict) else model
    if not isinstance(kind, str) or kind not in _MODELS:
        raise make_refusal("the model ", kind)
    for key, value in model.items():
        if key not in {"type", *_MODELS[kind]}:
            raise make_refusal("model", key)
        if key not in ("vocab", "merges") and len(str(value)) > _LONGEST:
            raise make_refusal(f"model/{key}", value)
    if model.get("dropout"):
        raise ValueError("tokenizer.json has a model with dropout, which encodes at random.")
    longest = model.get("max_input_chars_per_word", 0)
    if not isinstance(longest, int) or not 0 <= longest <= _LONGEST_WORD:
        raise make_refusal("model/max_input_chars_per_word", longest)
    if kind == "Unigram":
        return _check_pieces(model)
    vocabulary = model.get("vocab")
    if not isinstance(vocabulary, dict):
        raise make_refusal("model/vocab", vocabulary)
    unknown = model.get("unk_token")
    if unknown is not None and (not isinstance(unknown, str) or unknown not in vocabulary):
        raise ValueError(
            f"The model of tokenizer.json has no token {shorten(unknown)} in its vocabulary, "
            "which stands for what is unknown."
        )
    return vocabulary


def _check_pieces(model: Mapping[str, Any]) -> dict[str, int]:
    """Checks a vocabulary of pieces and their scores, and returns the ids of the pieces."""
    pieces = model.get("vocab")
    if not isinstance(pieces, list):
        raise make_refusal("model/vocab", pieces)
    for piece in pieces:
        if (
            not isinstance(piece, list)
            or len(piece) != 2
            or not isinstance(piece[0], str)
            or len(piece[0]) > _LONGEST_WORD
            or isinstance(piece[1], bool)
            or not isinstance(piece[1], (int, float))
            or not math.isfinite(piece[1])
        ):
            raise make_refusal("model/vocab", piece)
    unknown = model.get("unk_id")
    in_range = type(unknown) is int and 0 <= unknown < len(pieces)
    if unknown is not None and not in_range:
        raise make_refusal("model/unk_id", unknown)
    return {piece: i for i, (piece, _) in enumerate(pieces)}


def _check_ids(vocabulary: Mapping[str, Any]) -> None:
    """Checks that ids are few more than tokens: a published vocabulary may have a token twice."""
    most = 2 * len(vocabulary) + _MOST_GAPS
    ids = vocabulary.values()
    wrong = [i for i in ids if type(i) is not int or not 0 <= i < most]
    if wrong or len(set(ids)) != len(vocabulary):
        raise ValueError(
            f"The ids of tokenizer.json must be those from 0 to {len(vocabulary) - 1}, each once, "
            f"with gaps up to {most}. Received: "
            f"{shorten(wrong[0]) if wrong else 'one of them twice'}"
        )


def _check_added(added: Any, vocabulary: Mapping[str, int], pieces: Sequence[str]) -> None:
    """Checks that added tokens have the ids that the library gives them.

    It gives a token that the vocabulary has not the next id, whatever the file says.

    Args:
        added: the tokens beside the vocabulary.
        vocabulary: ids of its tokens.
        pieces: its tokens by id, where one may come twice.
    """
    ids, taken = dict(vocabulary), set(vocabulary.values())
    following = max(len(ids), len(pieces))
    if not isinstance(added, list):
        raise make_refusal("added_tokens", added)
    for token in added:
        content = token.get("content") if isinstance(token, dict) else None
        if not isinstance(content, str) or not content:
            raise make_refusal("added_tokens", token)
        given = token.get("id")
        if content not in ids:
            if type(given) is not int or given != following or given in taken:
                raise ValueError(
                    "The ids of added tokens must be those from 0 to the number of tokens, in "
                    f"their order. Received: the token {shorten(content)} with the id "
                    f"{shorten(given)} where {following} follows"
                )
            ids[content] = given
            following += 1
        twice = type(given) is int and 0 <= given < len(pieces) and pieces[given] == content
        if given != ids[content] and not twice:
            raise ValueError(
                f"tokenizer.json adds the token {shorten(content)} with the id {shorten(given)}, "
                f"and has it with {shorten(ids[content])} already."
            )
