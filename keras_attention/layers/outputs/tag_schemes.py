"""Schemes of tags that mark entities: which tag may stand behind which, and what is one entity.

| scheme | tags | an entity |
|---|---|---|
| `"BIO"`, also called IOB2 | `B-x I-x O` | begins with `B-x`; `I-x` goes on |
| `"IOB1"` | `B-x I-x O` | begins with `I-x` or `B-x`; `I-x` goes on |
| `"BIOES"`, also called BILOU | `B-x I-x E-x S-x O` | `B-x`, any `I-x`, `E-x`; or `S-x` alone |

`L-x`, `U-x` and `M-x` are other names of `E-x`, `S-x` and `I-x` in the last one.
"""

from collections.abc import Sequence

import numpy as np

_FORMS = {
    "BIO": "'O', and 'B-x' and 'I-x' of each type x",
    "IOB1": "'O', and 'B-x' or 'I-x' of each type x",
    "BIOES": "'O', and 'B-x', 'I-x', 'E-x' and 'S-x' of types x",
}
SCHEMES = tuple(_FORMS)
_LETTERS = {"BIO": "BI", "IOB1": "BI", "BIOES": "BIESLUM"}
_SAME = str.maketrans("LUM", "ESI")


def find_scheme(names: Sequence[str]) -> str | None:
    """Returns the scheme by which the tags of any published tagger can be read, or `None`.

    Names do not tell `"BIO"` from `"IOB1"`, and every sequence in `"BIO"` is one in `"IOB1"` that
    marks the same entities. So it is the latter.
    """
    return next((s for s in ("IOB1", "BIOES") if fits(names, s)), None)


def fits(names: Sequence[str], scheme: str) -> bool:
    """Whether the names are tags of the scheme."""
    return not _find_wrong(names, scheme)


def check(names: Sequence[str], scheme: str) -> None:
    """Raises `ValueError` if the names are not tags of the scheme."""
    if not fits(names, scheme):
        raise ValueError(f"`names` must be {_FORMS[scheme]}. Received: names={list(names)}")


def _find_wrong(names: Sequence[str], scheme: str) -> list[str]:
    """Returns the names that are no tags of the scheme, and `"O"` if it is missing."""
    known = set(names)
    wrong = list({"O"} - known)
    for name in known - {"O"}:
        without_begin = scheme == "BIO" and name[0:1] == "I" and f"B{name[1:]}" not in known
        if name[1:2] != "-" or name[0] not in _LETTERS[scheme] or without_begin:
            wrong.append(name)
    return wrong


def split(tag: str) -> tuple[str, str]:
    """Returns the letter of a tag, one of `BIESO`, and the type of the entity."""
    return tag[:1].translate(_SAME), tag[2:]


def goes_on(before: str, tag: str) -> bool:
    """Whether the second tag goes on with the entity of the first, which stands before it."""
    (letter, type_), (letter_before, type_before) = split(tag), split(before)
    return letter in "IE" and letter_before in "BI" and type_ == type_before


def find_successors(names: Sequence[str], scheme: str) -> np.ndarray:
    """Returns `(C, C)`: whether the second tag may stand behind the first.

    `"O"` is also what stands before the first word of a text, and behind its last.
    """
    letters, types = (np.array(part) for part in zip(*map(split, names), strict=True))
    types = np.unique(types, return_inverse=True)[1].ravel()
    opened, inner = np.isin(letters, ["B", "I"])[:, None], np.isin(letters, ["I", "E"])[None]
    joined = opened & inner & (types[:, None] == types)
    if scheme == "BIO":
        return joined | ~inner
    if scheme == "BIOES":
        return joined | (~opened & ~inner)
    return np.ones_like(joined)


def find_entities(tags: Sequence[str]) -> list[tuple[str, int, int]]:
    """Returns the type of each entity, its first word, and the one behind its last."""
    entities: list[tuple[str, int, int]] = []
    before = "O"
    for number, tag in enumerate(tags):
        if tag != "O":
            joined = goes_on(before, tag)
            start = entities.pop()[1] if joined else number
            entities.append((split(tag)[1], start, number + 1))
        before = tag
    return entities
