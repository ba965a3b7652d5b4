"""Segments of a pair: cases for the contract, and where they change."""

import numpy as np

import keras_attention as ka
from tests.backend import to_numpy
from tests.contracts import Case

CASES = [
    Case(
        layer=ka.layers.SegmentEmbedding,
        config={"num_segments": 2, "separator_id": 3},
        inputs={"inputs": ("T", 8), "token_ids": ("T",)},
        values={"token_ids": lambda rng, shape, length: rng.integers(0, 5, shape).astype("int32")},
    )
]


def test_separators_end_segments():
    layer = ka.layers.SegmentEmbedding(2, separator_id=3)
    ids = np.array([[1, 5, 3, 4, 3, 0]])
    x = np.zeros((1, 6, 4), "float32")
    output = to_numpy(layer(x, ids))[0]
    table = to_numpy(layer.table)
    np.testing.assert_allclose(output, table[[0, 0, 0, 1, 1, 1]], atol=1e-6)
