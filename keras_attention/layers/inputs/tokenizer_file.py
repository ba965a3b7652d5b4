"""Checks of a `tokenizer.json`, which may come from a stranger.

The `tokenizers` library does whatever its file says. It pads to any length, replaces letters by
more letters time and again, and matches any regular expression. At junk it panics.
"""

import base64
import binascii
import json
import math
from collections.abc import Callable
from typing import Any

from keras_attention.layers.inputs import tokenizer_patterns, tokenizer_vocabulary
from keras_attention.layers.inputs.tokenizer_vocabulary import make_refusal, shorten

# By kind of component its types, and how many times its length a text may have behind each.
_GROWTH = {
    "normalizer": {
        "NFC": 3, "NFD": 4, "NFKC": 18, "NFKD": 18, "Lowercase": 3, "StripAccents": 1, "Strip": 1,
        "BertNormalizer": 24, "Prepend": 2, "Replace": 1, "ByteLevel": 4, "Nmt": 1,
        "Precompiled": 1,
    },
    "pre_tokenizer": {
        "ByteLevel": 4, "BertPreTokenizer": 1, "Whitespace": 1, "WhitespaceSplit": 1,
        "Punctuation": 1, "Digits": 1, "Metaspace": 2, "Split": 1,
    },
    "decoder": {
        "ByteLevel": 1, "WordPiece": 2, "Fuse": 1, "Metaspace": 1, "BPEDecoder": 2,
        "ByteFallback": 1, "Replace": 1, "Strip": 1,
    },
    "post_processor": {
        "ByteLevel": 1, "BertProcessing": 1, "RobertaProcessing": 1, "TemplateProcessing": 1,
    },
}  # fmt: skip
_STEPS = {
    "normalizer": "normalizers", "pre_tokenizer": "pretokenizers", "decoder": "decoders",
    "post_processor": "processors",
}  # fmt: skip
_MOST_GROWTH = 128  # normalizer and pre-tokenizer together; BERT's have 24, XLM-R's 36, GPT-2's 4
_MOST_STEPS = 16  # components in a sequence
_LONGEST = 64  # characters of a setting
_MOST_SPECIAL = 256  # values that say which special tokens are put around texts
_MOST_CHARACTER_MAP = 2**21  # bytes that replace characters: XLM-R has 240,000


def check(content: str) -> None:
    """Raises `ValueError` if a tokenizer's JSON has what none needs, or is no such JSON."""
    check_settings(parse(content))


def parse(content: str) -> dict[str, Any]:
    """Returns the settings that a tokenizer's JSON has."""
    try:
        settings = json.loads(content, object_pairs_hook=_refuse_repeated_keys)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"tokenizer.json is not whole or no JSON: {error}") from None
    if not isinstance(settings, dict):
        raise make_refusal("it", settings)
    return settings


def check_settings(settings: dict[str, Any]) -> None:
    """Raises `ValueError` if the settings of a tokenizer have what none needs."""
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
    tokenizer_vocabulary.check(settings.get("model"), settings.get("added_tokens", []))


def import_library() -> Any:
    """Returns the `tokenizers` library."""
    try:
        import tokenizers
    except ImportError as error:
        raise ImportError(
            'Text needs the tokenizers library: python -m pip install "keras-attention[text]"'
        ) from error
    return tokenizers


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
        raise make_refusal(kind, value)
    name = value.get("type")
    if name == "Sequence" and not depth:
        steps = value.get(_STEPS[kind])
        if not isinstance(steps, list) or len(steps) > _MOST_STEPS:
            raise ValueError(
                f"The {kind!r} of tokenizer.json must be a list of at most {_MOST_STEPS} "
                f"components. Received: {shorten(steps)}"
            )
        return math.prod(_check_components(kind, step, depth=1) for step in steps)
    if not isinstance(name, str) or name not in _GROWTH[kind]:
        raise make_refusal(f"the {kind} ", name)
    if kind == "post_processor":
        _check_special(value)
        return 1
    if name == "Precompiled":
        return _check_character_map(value)
    for key, setting in value.items():
        if key == "pattern":
            _check_pattern(kind, setting)
        elif isinstance(setting, (dict, list)) or len(str(setting)) > _LONGEST:
            raise make_refusal(f"{kind}/{name}/{key}", setting)
    factor: float = _GROWTH[kind][name]
    if name == "Replace":
        pattern, put = value.get("pattern"), value.get("content")
        if not isinstance(put, str) or not isinstance(pattern, dict):
            raise make_refusal(f"{kind}/{name}", value)
        # No pattern that is known matches nothing.
        factor = max(1, len(put) / len(pattern.get("String", " ")))
    elif name == "Prepend" and len(str(value.get("prepend"))) > 1:
        raise make_refusal(f"{kind}/{name}", value)
    return factor


def _check_pattern(kind: str, value: Any) -> None:
    """Raises `ValueError` at a regular expression that is not known to come to an end."""
    if isinstance(value, dict) and len(value) == 1:
        text = value.get("String")
        if isinstance(text, str) and 0 < len(text) <= _LONGEST:
            return
        known = value.get("Regex")
        if isinstance(known, str) and known in tokenizer_patterns.KNOWN:
            return
    raise make_refusal(f"the pattern of its {kind} ", value)


def _check_special(value: Any) -> None:
    """Raises `ValueError` if a post-processor says more than a few special tokens need.

    What they are is asked of the library, see `tokenizer_special.find_frames`.
    """
    rest, count = [value], 0
    while rest:
        each = rest.pop()
        if isinstance(each, dict):
            rest += [*each, *each.values()]
        elif isinstance(each, list):
            rest += each
        count += 1
        if count > _MOST_SPECIAL or (isinstance(each, str) and len(each) > _LONGEST):
            raise make_refusal("the post_processor ", each if isinstance(each, str) else value)


def _check_character_map(value: dict[str, Any]) -> float:
    """Checks which characters sentencepiece replaces, and returns by how many one is at most.

    The bytes are the size of a trie, the trie, and the replacements, each with a zero behind it.
    """
    encoded = value.get("precompiled_charsmap")
    try:
        if not isinstance(encoded, str) or set(value) != {"type", "precompiled_charsmap"}:
            raise make_refusal("normalizer/Precompiled", value)
        if len(encoded) > _MOST_CHARACTER_MAP:
            raise make_refusal("normalizer/Precompiled", f"{len(encoded)} characters")
        content = base64.b64decode(encoded, validate=True)
        size = int.from_bytes(content[:4], "little")
        if len(content) < 4 or size % 4 or size > len(content) - 4:
            raise make_refusal("normalizer/Precompiled", content[:20])
        replacements = content[4 + size :].decode().split("\0")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise make_refusal("normalizer/Precompiled", str(error)) from None
    return max(1, *map(len, replacements))
