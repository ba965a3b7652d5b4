"""The embeddings of distances: cases for the contract."""

import keras_attention as ka
from tests.contracts import Case

CASES = [
    Case(
        layer=ka.layers.RelativeEmbedding,
        config={"input_dim": 8, "normalize": normalize},
        inputs={"inputs": ("T", 16)},
        rows=None,
        by_row=False,
    )
    for normalize in (True, False)
]
