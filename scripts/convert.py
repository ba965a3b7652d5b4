"""Converts a published checkpoint (Hugging Face) to a .keras file, and back.

`keras-attention convert` is the same.
"""

from zoo.program import console
from zoo.program.commands import convert

if __name__ == "__main__":
    console.start(convert)
