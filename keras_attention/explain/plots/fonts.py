"""Fonts for letters that the first font has no glyph for; it needs matplotlib."""

import unicodedata
import warnings
from functools import cache
from typing import Any

from matplotlib import font_manager, get_cachedir

# Packages of Debian and Ubuntu with fonts for a script, by how Unicode's names of its letters
# begin; others are in the last.
_PACKAGES = {
    "CJK": "fonts-noto-cjk",
    "HIRAGANA": "fonts-noto-cjk",
    "KATAKANA": "fonts-noto-cjk",
    "HANGUL": "fonts-noto-cjk",
    "": "fonts-noto-core, or fonts-symbola for emoji",
}


def families(text: str, properties: Any) -> list[str]:
    """Returns the families to draw a text with: those it has, and more for letters that these
    lack.

    Warns of letters that no font on this computer has, and says what to install.
    """
    own = list(properties.get_family())
    first = _glyphs(font_manager.findfont(properties))
    missing = {letter for letter in text if ord(letter) not in first and letter.isprintable()}
    for letter in sorted(missing):
        family = _family_with(letter)
        if family and family not in own:
            own.append(family)
    return own


@cache
def _family_with(letter: str) -> str | None:
    """Returns a family with a glyph for a letter, or `None`, with a warning."""
    for entry in font_manager.fontManager.ttflist:
        if "last resort" not in entry.name.lower() and ord(letter) in _glyphs(entry.fname):
            return entry.name
    script = unicodedata.name(letter, "").split(" ")[0]
    package = _PACKAGES.get(script, _PACKAGES[""])
    warnings.warn(
        f"No font on this computer has a glyph for {letter!r} (U+{ord(letter):04X}), which is "
        f"drawn "
        f"as a box. Install one, such as apt-get install {package}, and remove {get_cachedir()}, "
        "where matplotlib keeps the list of fonts.",
        stacklevel=2,
    )
    return None


@cache
def _glyphs(path: str) -> frozenset[int]:
    """Returns the letters that a font has glyphs for; none of one that cannot be read."""
    try:
        return frozenset(font_manager.get_font(path).get_charmap())
    except (OSError, RuntimeError):  # such as a font of bitmaps
        return frozenset()
