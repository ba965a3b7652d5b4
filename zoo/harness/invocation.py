"""The command that this process was started with, as a user would type it again."""

import sys
from pathlib import Path


def words() -> list[str]:
    """Returns the words of the command: `keras-attention ...`, or `python FILE ...`."""
    file, *arguments = sys.argv
    path = Path(file)
    if path.stem in ("keras-attention", "keras-attention-script"):  # the latter on Windows
        return ["keras-attention", *arguments]
    if path.name == "__main__.py":
        return ["python", "-m", path.parent.name, *arguments]
    return ["python", file, *arguments]
