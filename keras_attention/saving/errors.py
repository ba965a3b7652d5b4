"""What can be wrong with a file, as errors that a program can tell apart."""


class FileError(ValueError):
    """A file that cannot be used; the message says why and what to do."""


class DamagedFileError(FileError):
    """Truncated, empty, changed on the way, or not of this type at all."""


class NewerFileError(FileError):
    """Written by a newer version, in a format that this one does not know."""


class RefusedFileError(FileError):
    """Whole, but asks for something that a file from a stranger may not have."""
