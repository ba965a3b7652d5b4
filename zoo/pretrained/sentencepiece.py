"""Models of sentencepiece, https://github.com/google/sentencepiece, as a `tokenizer.json`.

They are messages of Protocol Buffers. A few fields are read, as `sentencepiece_model.proto` there
numbers them; a field that changes what the model does and is set otherwise is refused.
"""

import base64
import struct
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from zoo.pretrained.vocabularies import CONVERT, SpecialTokens, make_settings, make_template

FILES = ("spm.model", "sentencepiece.bpe.model", "spiece.model", "tokenizer.model")
_UNKNOWN, _CONTROL, _USER_DEFINED = 2, 3, 4
_UNIGRAM = 1
_VARINT, _EIGHT, _BYTES, _FOUR = 0, 1, 2, 5


class _Piece(NamedTuple):
    text: str
    score: float
    kind: int


def read(
    content: bytes, kind: str, named: SpecialTokens, options: Mapping[str, Any]
) -> dict[str, Any]:
    """Returns the settings of a model.

    Args:
        content: of the file.
        kind: of the tokenizer, as `vocabularies.find_kind` says.
        named, options: `tokenizer_config.json`.

    Raises:
        ValueError: the content is damaged, or of a kind that is not known here.
    """
    try:
        pieces, normalizer = _read_model(content)
    except (ValueError, IndexError, struct.error, TypeError) as error:
        raise ValueError(f"The model of sentencepiece cannot be read: {error}") from None
    charsmap = normalizer.get(2, b"")
    steps = [{"type": "Precompiled", "precompiled_charsmap": base64.b64encode(charsmap).decode()}]
    space = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}
    vocabulary = [[piece.text, piece.score] for piece in pieces]
    if kind == "deberta-v2":
        before, between = named.get("cls", "[CLS]"), [named.get("sep", "[SEP]")]
        unknown = named.get("unk", "[UNK]")
        mask = named.get("mask", "[MASK]")
        if mask not in {piece.text for piece in pieces}:
            vocabulary.append([mask, 0.0])
        special = [named.get("pad", "[PAD]"), before, *between, unknown, mask]
        lower = [{"type": "Lowercase"}] if options.get("do_lower_case") else []
        strip = {"type": "Strip", "strip_left": True, "strip_right": True}
        spaces = {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}
        steps = [*lower, *(steps if charsmap else []), spaces, strip]
        marks = [{"type": "Punctuation", "behavior": "Isolated"}]
        cuts = [*(marks if options.get("split_by_punct") else []), space]
    elif kind in ("xlm-roberta", "camembert"):
        # The ids are those of fairseq, which has its own special tokens in front.
        vocabulary, special = _reorder(vocabulary, kind)
        before, between, unknown = "<s>", ["</s>", "</s>"], "<unk>"
        steps = steps if charsmap else []
        cuts = [{"type": "WhitespaceSplit"}, space]
    else:
        raise ValueError(
            f"A model of sentencepiece of a tokenizer of the kind {kind!r} is not known here. "
            f"{CONVERT}"
        )
    ids = {text: i for i, (text, _) in enumerate(vocabulary)}
    after = between[-1]
    missing = [token for token in (before, after, unknown) if token not in ids]
    if missing:
        raise ValueError(f"The model of sentencepiece has no piece {', '.join(missing)}.")
    return make_settings(
        named,
        special,
        ids,
        normalizer={"type": "Sequence", "normalizers": steps},
        pre_tokenizer={"type": "Sequence", "pretokenizers": cuts},
        post_processor=make_template(
            [before, "$A", after], [before, "$A", *between, "$B", after], ids
        ),
        decoder=space,
        model={"type": "Unigram", "unk_id": ids[unknown], "vocab": vocabulary},
    )


def _reorder(pieces: list, kind: str) -> tuple[list, list[str]]:
    """Returns the pieces in the order of fairseq's ids, and the special ones."""
    if kind == "xlm-roberta":
        front = ["<s>", "<pad>", "</s>", "<unk>"]
        special = [*front, "<mask>"]
        return [*([token, 0.0] for token in front), *pieces[3:], ["<mask>", 0.0]], special
    # What sentencepiece has for them comes twice, and would stand for text.
    front = ["<s>NOTUSED", "<pad>", "</s>NOTUSED", "<unk>"]
    special = [*front, "<unk>NOTUSED", "<s>", "</s>", "<mask>"]
    vocabulary = [*([token, 0.0] for token in front), ["<unk>NOTUSED", -100.0], *pieces[1:]]
    return [*vocabulary, ["<mask>", 0.0]], special


def _read_model(content: bytes) -> tuple[list[_Piece], dict[int, Any]]:
    """Returns the pieces, and the fields of the normalizer."""
    pieces, trainer, normalizer = [], {}, {}
    for number, value in _fields(content):
        if number == 1:
            fields = dict(_fields(value))
            (score,) = struct.unpack("<f", fields.get(2, bytes(4)))
            pieces.append(_Piece(fields[1].decode(), score, fields.get(3, 1)))
        elif number == 2:
            trainer = dict(_fields(value))
        elif number == 3:
            normalizer = dict(_fields(value))
    # By field: dummy prefix, extra white space removed, white space escaped.
    changed = [number for number in (3, 4, 5) if normalizer.get(number, 1) != 1]
    # White space as a suffix, bytes for what is unknown.
    changed += [number for number in (24, 35) if trainer.get(number, 0) != 0]
    if changed or trainer.get(3, _UNIGRAM) != _UNIGRAM:
        raise ValueError(
            "it is no Unigram model with the usual settings. Received: model type "
            f"{trainer.get(3, _UNIGRAM)}, changed fields {changed}. {CONVERT}"
        )
    if any(piece.kind == _USER_DEFINED and not _is_special(piece.text) for piece in pieces):
        raise ValueError("it has pieces of the user's own.")
    return pieces, normalizer


def _is_special(text: str) -> bool:
    return text.startswith(("[", "<")) and text.endswith(("]", ">"))


def _fields(content: bytes) -> Iterator[tuple[int, Any]]:
    """Goes through the fields of a message: their number, and an integer or bytes."""
    place = 0
    while place < len(content):
        key, place = _varint(content, place)
        kind = key & 7
        if kind == _VARINT:
            value, place = _varint(content, place)
            yield key >> 3, value
            continue
        if kind == _BYTES:
            size, place = _varint(content, place)
        elif kind in (_FOUR, _EIGHT):
            size = 4 if kind == _FOUR else 8
        else:
            raise ValueError(f"a field of the type {kind}")
        if place + size > len(content):
            raise ValueError("it ends within a field")
        yield key >> 3, content[place : place + size]
        place += size


def _varint(content: bytes, place: int) -> tuple[int, int]:
    """Returns an integer of 7 bits a byte, the lowest first, and the place behind it."""
    value = 0
    for shift in range(0, 70, 7):
        byte = content[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place
    raise ValueError("an integer of more than ten bytes")
