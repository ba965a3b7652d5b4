"""Vocabularies of published checkpoints, from their `tokenizer.json`."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from keras_attention.layers.inputs import tokenizer_file
from keras_attention.ops import batches

_KEYS = {
    "version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer",
    "post_processor", "decoder", "model",
}  # fmt: skip
_MOST_BYTES = 2**27  # of a file: Gemma's has 33 million


def read(
    json_or_path: str | os.PathLike | Mapping[str, Any], mask: str | None
) -> tuple[str, int | None]:
    """Returns the content of a file, checked, and the id of what its vocabulary has not, if any.

    Padding and truncation, which a layer does itself, are left out. The mask becomes a token that
    is found in texts, as special ones are not.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is too large, no JSON, or has what may do harm.
    """
    given = json_or_path
    settings = given if isinstance(given, Mapping) else tokenizer_file.parse(_read(given))
    settings = {**settings, "padding": None, "truncation": None}
    newer = {key: value for key, value in settings.items() if key not in _KEYS}
    if any(newer.values()):
        raise ValueError(
            f"tokenizer.json has {', '.join(newer)}, which is not known here. It may be of a newer "
            "version of the tokenizers library."
        )
    settings = {key: value for key, value in settings.items() if key in _KEYS}
    if isinstance(settings.get("model"), dict):
        settings["model"] = {"type": _guess_model(settings["model"]), **settings["model"]}
    settings["added_tokens"] = settings.get("added_tokens") or []
    tokenizer_file.check_settings(settings)
    settings["added_tokens"] = [
        {**token, "special": bool(token.get("special")) and token["content"] != mask}
        for token in settings["added_tokens"]
    ]
    model = settings["model"]
    if model["type"] == "Unigram":
        unknown = model.get("unk_id")
    else:
        unknown = model["vocab"].get(model.get("unk_token"))
    return json.dumps(settings, ensure_ascii=False), unknown


def _read(json_or_path: str | os.PathLike) -> str:
    if isinstance(json_or_path, str) and json_or_path.lstrip().startswith("{"):
        return json_or_path
    path = Path(json_or_path)
    batches.regular_file(path)
    if path.stat().st_size > _MOST_BYTES:
        raise ValueError(
            f"{path.name} has {path.stat().st_size} bytes, and a tokenizer has at most "
            f"{_MOST_BYTES}."
        )
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path.name} is no tokenizer.json: {error}") from None


def _guess_model(model: Mapping[str, Any]) -> str:
    """Returns the type of a model of a file that was written before models named it."""
    if "merges" in model:
        return "BPE"
    if isinstance(model.get("vocab"), list):
        return "Unigram"
    return "WordPiece" if "continuing_subword_prefix" in model else "WordLevel"
