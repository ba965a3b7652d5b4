"""Segment embedding: cases for the contract, the sum of section 3.1, and its mask."""

import keras
import numpy as np
import pytest

import keras_attention as ka
from tests.backend import to_numpy
from tests.contracts import Case

SEPARATOR = 3


def token_ids(rng, shape, length):
    return rng.integers(0, 6, shape).astype("int32")


CASES = [
    Case(
        layer=ka.layers.SegmentEmbedding,
        config={"num_segments": segments, "separator_id": separator},
        inputs={"inputs": ("T", 8), "token_ids": ("T",)},
        values={"token_ids": token_ids},
    )
    for segments, separator in ((2, SEPARATOR), (1, None))
]


def test_separators_are_counted():
    """BERT's figure 2: a separator is in the segment that it ends."""
    layer = ka.layers.SegmentEmbedding(3, SEPARATOR)
    x = np.random.default_rng(0).normal(size=(3, 7, 4)).astype("float32")
    ids = np.array([[1, 3, 5, 3, 5, 3, 5], [3, 3, 3, 3, 3, 3, 3], [1, 1, 1, 1, 1, 1, 3]])
    segments = np.array([[0, 0, 1, 1, 2, 2, 2], [0, 1, 2, 2, 2, 2, 2], [0] * 7])
    output = to_numpy(layer(x, ids))
    np.testing.assert_allclose(output, x + to_numpy(layer.table)[segments], atol=1e-6)


def test_without_separators_all_tokens_are_in_the_first_segment():
    layer = ka.layers.SegmentEmbedding(2)
    x = np.zeros((2, 5, 4), "float32")
    output = to_numpy(layer(x, np.full((2, 5), SEPARATOR)))
    np.testing.assert_array_equal(output, np.broadcast_to(to_numpy(layer.table)[0], (2, 5, 4)))


def test_the_mask_of_the_embedding_goes_on():
    """Of two inputs with masks the layer passes that of the first."""
    ids = keras.Input((None,), dtype="int32")
    tokenizer = ka.layers.Tokenizer(padding_id=0)
    token_ids = tokenizer(ids)
    x = ka.layers.TokenEmbedding(9, 8)(token_ids)
    x = ka.layers.SegmentEmbedding(2, SEPARATOR)(x, token_ids)
    model = keras.Model(ids, ka.layers.TransformerBlock(2, 16)(x))
    expected = to_numpy(model(np.array([[1, 3, 5]])))
    right = to_numpy(model(np.array([[1, 3, 5, 0, 0], [1, 1, 1, 1, 1]])))
    left = to_numpy(model(np.array([[0, 0, 1, 3, 5], [1, 1, 1, 1, 1]])))
    np.testing.assert_allclose(right[:1, :3], expected, atol=1e-6)
    np.testing.assert_allclose(left[:1, 2:], expected, atol=1e-6)


def test_the_number_of_segments_is_checked():
    with pytest.raises(ValueError, match="`num_segments` must be a positive integer"):
        ka.layers.SegmentEmbedding(0)
