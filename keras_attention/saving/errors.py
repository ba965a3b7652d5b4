"""What can be wrong with a file, as errors that a program can tell apart."""

from pathlib import Path
from typing import Self

_UNCHECKED = "If you trust the file, `keras.saving.load_model` reads it without this check."


class FileError(ValueError):
    """A file that cannot be used; the message says why and what to do."""

    def of(self, path: str | Path) -> Self:
        """This error, with the file's name in front."""
        self.args = (f"{path}: {self}",)
        return self


class DamagedFileError(FileError):
    """Truncated, empty, changed on the way, or not of this type at all."""


class NewerFileError(FileError):
    """Written by a newer version, in a format that this one does not know."""


class RefusedFileError(FileError):
    """Whole, but has something that a file from a stranger may not have.

    Args:
        found: what it has.
        remedy: how to allow it, or to do without.
    """

    def __init__(self, found: str, remedy: str = _UNCHECKED) -> None:
        super().__init__(f"{found} {remedy}")
