"""Errors of files, which a program can tell apart."""

from pathlib import Path
from typing import Self

_LONGEST = 2_000  # letters of a message: what a file holds may have millions
_UNCHECKED = "If you trust the file, `keras.saving.load_model` reads it without this check."


class FileError(ValueError):
    """A file that cannot be used; the message says why and what to do.

    What the message quotes of a file has its control characters escaped, so that it cannot move
    a terminal's cursor, and is cut where it is long.
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))

    def of(self, path: str | Path) -> Self:
        """This error, with the file's name in front."""
        self.args = (f"{printable(str(path))}: {self}",)
        return self


def printable(text: str) -> str:
    """`text` without characters that a terminal acts on, and without its middle if it is long."""
    if len(text) > _LONGEST:
        half = _LONGEST // 2
        text = f"{text[:half]} [...] {text[-half:]}"
    return "".join(
        letter if letter.isprintable() or letter == "\n" else ascii(letter)[1:-1] for letter in text
    )


def cause(error: BaseException) -> BaseException | None:
    """The error as a cause to show, or `None` if it quotes what a terminal would act on."""
    text = str(error)
    return error if printable(text) == text else None


class DamagedFileError(FileError):
    """Truncated, empty, changed on the way, or not of this type at all."""


class NewerFileError(FileError):
    """Written by a newer version, in a format that this one does not know."""


class RefusedFileError(FileError):
    """Whole, but has something that a file from a stranger may not have.

    Args:
        problem: the sentence that says what it has.
        remedy: how to allow it, or to do without.
    """

    def __init__(self, problem: str, remedy: str = _UNCHECKED) -> None:
        super().__init__(f"{problem} {remedy}")
