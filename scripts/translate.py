"""Translates the lines of standard input, in their order, and scores them beside a reference.

`keras-attention translate` is the same.
"""

from zoo.program import console
from zoo.program.commands import translate

if __name__ == "__main__":
    console.start(translate)
