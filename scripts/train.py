"""Trains a model of your own data, or a recipe of the zoo; writes model, metrics and pictures.

`keras-attention train` is the same.
"""

from zoo.program import console
from zoo.program.commands import train

if __name__ == "__main__":
    console.start(train)
