"""Measures a trained model on its test data, and says if it gives what it gave.

`keras-attention evaluate` is the same.
"""

from zoo.program import console
from zoo.program.commands import evaluate

if __name__ == "__main__":
    console.start(evaluate)
