"""Draws what a model attends to in an input, or why it answers what it answers.

`keras-attention explain` is the same.
"""

from zoo.program import console
from zoo.program.commands import explain

if __name__ == "__main__":
    console.start(explain)
