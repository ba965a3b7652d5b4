"""Continues texts with a language model; translates texts or captions images with a decoder.

`keras-attention generate` is the same.
"""

from zoo.program import console
from zoo.program.commands import generate

if __name__ == "__main__":
    console.start(generate)
