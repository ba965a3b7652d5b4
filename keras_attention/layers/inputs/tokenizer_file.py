"""Checks of a `tokenizer.json`, which may come from a stranger.

The `tokenizers` library does whatever its file says. It pads to any length, replaces letters by
more letters time and again, and matches any regular expression. At junk it panics.
"""

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

# Words as treebanks cut them: addresses whole, "do n't", "he 's", numbers with their separators,
# each other mark by itself.
WORD = (
    r"https?://\S+|[@#]\w+|\w+(?=n['’]t\b)|n['’]t\b|['’](?:s|re|ve|ll|d|m)\b"  # noqa: RUF001
    r"|\d+(?:[.,:]\d+)*(?!\w)|\w+(?:-\w+)*|[^\w\s]"
)
CHARACTER = r"[\s\S]"
# By kind of component its types, and how many times its length a text may have behind each.
_GROWTH = {
    "normalizer": {
        "NFC": 3, "NFD": 4, "NFKC": 18, "NFKD": 18, "Lowercase": 3, "StripAccents": 1, "Strip": 1,
        "BertNormalizer": 24, "Prepend": 2, "Replace": 1, "ByteLevel": 4,
    },
    "pre_tokenizer": {
        "ByteLevel": 4, "BertPreTokenizer": 1, "Whitespace": 1, "WhitespaceSplit": 1,
        "Punctuation": 1, "Digits": 1, "Metaspace": 2, "Split": 1,
    },
    "decoder": {
        "ByteLevel": 1, "WordPiece": 2, "Fuse": 1, "Metaspace": 1, "BPEDecoder": 2,
        "ByteFallback": 1, "Replace": 1, "Strip": 1,
    },
    "post_processor": {"ByteLevel": 1},
}  # fmt: skip
_MOST_GROWTH = 128  # normalizer and pre-tokenizer together; BERT's have 24, GPT-2's 4
_MOST_STEPS = 16  # components in a sequence
_LONGEST = 64  # characters of a setting
_LONGEST_WORD = 1000  # of word pieces, whose search is quadratic in it
_MODELS = {
    "BPE": {
        "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk",
        "byte_fallback", "ignore_merges", "vocab", "merges",
    },
    "WordPiece": {"unk_token", "continuing_subword_prefix", "max_input_chars_per_word", "vocab"},
    "WordLevel": {"unk_token", "vocab"},
}  # fmt: skip


def check(content: str) -> None:
    """Raises `ValueError` if a tokenizer's JSON has what ours need not, or is no such JSON."""
    try:
        settings = json.loads(content, object_pairs_hook=_refuse_repeated_keys)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"tokenizer.json is not whole or no JSON: {error}") from None
    if not isinstance(settings, dict):
        raise _make_refusal("it", settings)
    for name in ("padding", "truncation"):
        if settings.get(name) is not None:
            raise ValueError(
                f"tokenizer.json sets {name!r}, which the layer does itself. Set it to null."
            )
    growth = {kind: _check_components(kind, settings.get(kind), depth=0) for kind in _GROWTH}
    growth["pre_tokenizer"] *= growth["normalizer"]
    for kind, factor in growth.items():
        if factor > _MOST_GROWTH:
            raise ValueError(
                f"The components of tokenizer.json up to its {kind!r} may make a text {factor:g} "
                f"times as long, and at most {_MOST_GROWTH} times is allowed."
            )
    vocabulary = _check_model(settings.get("model"))
    _check_added(settings.get("added_tokens", []), vocabulary)


def call(function: Callable, *args: Any) -> Any:
    """Returns `function(*args)` of the library, whose panics, no `Exception`, become errors."""
    try:
        return function(*args)
    except Exception as error:
        raise ValueError(f"The tokenizers library refuses it: {error}") from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise ValueError(f"The tokenizers library panicked: {error}") from error


def _refuse_repeated_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Returns a JSON object, which the library might read otherwise if a key came twice."""
    value_by_key = dict(pairs)
    if len(value_by_key) != len(pairs):
        raise ValueError("a key comes twice")
    return value_by_key


def _check_components(kind: str, value: Any, *, depth: int) -> float:
    """Checks a component of the file, and returns by how much it may lengthen a text."""
    if value is None:
        return 1
    if not isinstance(value, dict):
        raise _make_refusal(kind, value)
    name = value.get("type")
    if name == "Sequence" and kind != "post_processor" and not depth:
        steps = next((value[key] for key in _list_sequence_keys(kind) if key in value), None)
        if not isinstance(steps, list) or len(steps) > _MOST_STEPS:
            raise ValueError(
                f"The {kind!r} of tokenizer.json must be a list of at most {_MOST_STEPS} "
                f"components. Received: {_shorten(steps)}"
            )
        return math.prod(_check_components(kind, step, depth=1) for step in steps)
    if not isinstance(name, str) or name not in _GROWTH[kind]:
        raise _make_refusal(f"the {kind} ", name)
    for key, setting in value.items():
        if key == "pattern":
            _check_pattern(kind, setting)
        elif isinstance(setting, (dict, list)) or len(str(setting)) > _LONGEST:
            raise _make_refusal(f"{kind}/{name}/{key}", setting)
    factor: float = _GROWTH[kind][name]
    if name == "Replace":
        pattern, put = value.get("pattern"), value.get("content")
        if not isinstance(put, str) or not isinstance(pattern, dict) or "String" not in pattern:
            raise _make_refusal(f"{kind}/{name}", value)
        factor = max(1, len(put) / len(pattern["String"]))
    elif name == "Prepend" and len(str(value.get("prepend"))) > 1:
        raise _make_refusal(f"{kind}/{name}", value)
    return factor


def _list_sequence_keys(kind: str) -> tuple[str, ...]:
    """Returns the keys under which the library may write the components of a sequence."""
    return {"normalizer": ("normalizers",), "pre_tokenizer": ("pretokenizers",)}.get(
        kind, ("decoders",)
    )


def _check_pattern(kind: str, value: Any) -> None:
    """Raises `ValueError` at a regular expression that is not ours: some never come to an end."""
    if isinstance(value, dict) and len(value) == 1:
        text = value.get("String")
        if isinstance(text, str) and 0 < len(text) <= _LONGEST:
            return
        if value.get("Regex") in (WORD, CHARACTER):
            return
    raise _make_refusal(f"the pattern of its {kind} ", value)


def _check_model(model: Any) -> Mapping[str, int]:
    """Checks the model, and returns its vocabulary."""
    kind = model.get("type") if isinstance(model, dict) else model
    if not isinstance(kind, str) or kind not in _MODELS:
        raise _make_refusal("the model ", kind)
    for key, value in model.items():
        if key not in {"type", *_MODELS[kind]}:
            raise _make_refusal("model", key)
        if key not in ("vocab", "merges") and len(str(value)) > _LONGEST:
            raise _make_refusal(f"model/{key}", value)
    if model.get("dropout"):
        raise ValueError("tokenizer.json has a model with dropout, which encodes at random.")
    longest = model.get("max_input_chars_per_word", 0)
    if not isinstance(longest, int) or not 0 <= longest <= _LONGEST_WORD:
        raise _make_refusal("model/max_input_chars_per_word", longest)
    vocabulary = model.get("vocab")
    if not isinstance(vocabulary, dict):
        raise _make_refusal("model/vocab", vocabulary)
    unknown = model.get("unk_token")
    if unknown is not None and (not isinstance(unknown, str) or unknown not in vocabulary):
        raise ValueError(
            f"The model of tokenizer.json has no token {_shorten(unknown)} in its vocabulary, "
            "which stands for what is unknown."
        )
    return vocabulary


def _check_added(added: Any, vocabulary: Mapping[str, Any]) -> None:
    """Checks that the ids of all tokens are 0, 1 and so on, those of added ones too."""
    ids = dict(vocabulary)
    if not isinstance(added, list):
        raise _make_refusal("added_tokens", added)
    for token in added:
        content = token.get("content") if isinstance(token, dict) else None
        if not isinstance(content, str) or not content:
            raise _make_refusal("added_tokens", token)
        if ids.setdefault(content, token.get("id")) != token.get("id"):
            raise ValueError(
                f"tokenizer.json adds the token {_shorten(content)} with the id "
                f"{_shorten(token.get('id'))}, and has it with {_shorten(ids[content])} already."
            )
    wrong = [i for i in ids.values() if type(i) is not int or not 0 <= i < len(ids)]
    if wrong or len(set(ids.values())) != len(ids):
        raise ValueError(
            f"The ids of tokenizer.json must be those from 0 to {len(ids) - 1}, each once. "
            f"Received: {_shorten(wrong[0]) if wrong else 'one of them twice'}"
        )


def _make_refusal(where: str, value: Any) -> ValueError:
    return ValueError(
        f"tokenizer.json has something that no layer of this package writes. In {where.strip()}: "
        f"{_shorten(value)}"
    )


def _shorten(value: Any) -> str:
    shown = ascii(value)
    return shown if len(shown) <= 100 else f"{shown[:97]}..."
