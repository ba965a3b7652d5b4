"""Texts of users, such as tokens, names and captions, in a form that can be drawn as it is."""

import textwrap
import unicodedata

NAME = 40  # letters of a name; a longer one would leave no room for what it names
_LINES = 3  # of a title


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


def name(text: object, most: int = NAME) -> str:
    """Returns a name in one line, without its middle where it is longer than `most` letters."""
    line = printable(text).replace("\n", "\\n")
    if len(line) <= most:
        return line
    end = (most - 1) // 2
    return f"{line[: most - 1 - end]}\N{HORIZONTAL ELLIPSIS}{line[len(line) - end :]}"


def caption(text: object, most: int = NAME) -> str:
    """Returns a text for above a picture, in lines of at most `most` letters, as many as a title
    has."""
    return "\n".join(name(line, most) for line in str(text).split("\n")[:_LINES])


def entry(text: object) -> str:
    """Returns a name for a legend, from which matplotlib leaves out what begins with an
    underscore."""
    line = name(text)
    return f"\N{ZERO WIDTH SPACE}{line}" if line.startswith("_") else line


def title(text: object, letters: int) -> str:
    """Returns a title in lines of so many `letters`, cut off where it would fill the figure."""
    more = " \N{HORIZONTAL ELLIPSIS}"
    return textwrap.fill(printable(text), letters, max_lines=_LINES, placeholder=more)
