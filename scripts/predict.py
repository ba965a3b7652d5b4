"""Answers raw input: text, pictures, recordings, rows of a table or a graph.

`keras-attention predict` is the same.
"""

from zoo.program import console
from zoo.program.commands import predict

if __name__ == "__main__":
    console.start(predict)
