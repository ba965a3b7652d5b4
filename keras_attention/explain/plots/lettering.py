"""Texts of users, such as tokens, names and captions, in a form that can be drawn as it is.

Lengths are in cells: a wide letter, such as a Chinese one, takes two of them, and an accent that is
put on the letter before it takes none.
"""

import textwrap
import unicodedata

NAME = 40  # cells of a name; a longer one would leave no room for what it names
_LINES = 3  # of a title
_MORE = "\N{HORIZONTAL ELLIPSIS}"


def printable(text: object) -> str:
    """Returns the text with escapes for control characters and lone surrogates, which no font can
    draw. Line breaks stay.
    """
    return "".join(
        letter
        if letter == "\n" or unicodedata.category(letter) not in ("Cc", "Cs")
        else letter.encode("unicode_escape").decode("ascii")
        for letter in str(text)
    )


def cells(text: str) -> int:
    """Returns how many cells a text takes."""
    return len(text) if text.isascii() else sum(map(_cells, text))


def name(text: object, most: int = NAME) -> str:
    """Returns a name in one line, without its middle where it takes more than `most` cells."""
    line = printable(text).replace("\n", "\\n")
    if cells(line) <= most:
        return line
    end = (most - 1) // 2
    return f"{_start(line, most - 1 - end)}{_MORE}{_start(line[::-1], end)[::-1]}"


def caption(text: object, most: int = NAME) -> str:
    """Returns a text for above a picture, in lines of at most `most` cells, as many as a title
    has."""
    return "\n".join(name(line, most) for line in str(text).split("\n")[:_LINES])


def entry(text: object) -> str:
    """Returns a name for a legend, from which matplotlib leaves out what begins with an
    underscore."""
    line = name(text)
    return f"\N{ZERO WIDTH SPACE}{line}" if line.startswith("_") else line


def title(text: object, most: int) -> str:
    """Returns a title in lines of about `most` cells, cut off where it would fill the figure."""
    line = printable(text)
    return textwrap.fill(line, _letters(line, most), max_lines=_LINES, placeholder=f" {_MORE}")


def paragraph(text: str, most: int) -> str:
    """Returns a text in lines of about `most` cells."""
    line = printable(text)
    return textwrap.fill(line, _letters(line, most))


def _letters(line: str, most: int) -> int:
    """Returns how many letters of a text take `most` cells."""
    return max(4, most * len(line) // max(1, cells(line)))


def _start(line: str, most: int) -> str:
    """Returns the beginning of a line, `most` cells long at most."""
    taken = 0
    for place, letter in enumerate(line):
        taken += _cells(letter)
        if taken > most:
            return line[:place]
    return line


def _cells(letter: str) -> int:
    if unicodedata.category(letter) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1
