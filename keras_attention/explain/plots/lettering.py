"""Texts of others in a figure: tokens, names and captions, made fit to be drawn as they are."""

import textwrap
import unicodedata

NAME = 40  # letters of a name; a longer one would leave no room for what it names
_LINES = 3  # of a title


def printable(text: object) -> str:
    """The text with control characters and lone surrogates as escapes: no font can draw them.

    Line breaks stay.
    """
    return "".join(
        letter
        if letter == "\n" or unicodedata.category(letter) not in ("Cc", "Cs")
        else letter.encode("unicode_escape").decode("ascii")
        for letter in str(text)
    )


def name(text: object, most: int = NAME) -> str:
    """A name in one line, of which the middle is left out where it is longer than `most`."""
    line = printable(text).replace("\n", "\\n")
    if len(line) <= most:
        return line
    end = (most - 1) // 2
    return f"{line[: most - 1 - end]}\N{HORIZONTAL ELLIPSIS}{line[len(line) - end :]}"


def caption(text: object, most: int = NAME) -> str:
    """A text above a picture, in lines of at most `most` letters, as many as a title has."""
    return "\n".join(name(line, most) for line in str(text).split("\n")[:_LINES])


def entry(text: object) -> str:
    """A name for a legend, from which matplotlib leaves out what begins with an underscore."""
    line = name(text)
    return f"\N{ZERO WIDTH SPACE}{line}" if line.startswith("_") else line


def title(text: object, letters: int) -> str:
    """A title in lines of so many `letters`, cut off where it would fill the figure."""
    more = " \N{HORIZONTAL ELLIPSIS}"
    return textwrap.fill(printable(text), letters, max_lines=_LINES, placeholder=more)
