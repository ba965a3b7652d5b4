"""Segment pooling: cases for the contract, and the paper's equations segment by segment."""

import numpy as np
import pytest

import keras_attention as ka
from keras_attention.layers import SegmentPooling
from tests.backend import to_numpy
from tests.contracts import Case


def segments(start, stop):
    return slice(0, -(-(stop - start) // 4))  # counted from the first unmasked element


CASES = [
    Case(
        layer=SegmentPooling,
        config={"segment_length": 4, **config},
        inputs={"value": (6, 8)},  # a fixed length, since the output has another
        masks={"mask": "value"},
        rows=segments,
        lengths=(6,),
        dropout={"dropout": 0.5},
        scores=True,
        hears=("context",),
    )
    for config in ({}, {"num_heads": 2, "units": 5})
]


def test_equations_of_every_segment():
    """Equations 5 to 7 of Yang et al., over the unmasked elements, four by four."""
    layer, x = CASES[1].make(), np.random.default_rng(3).normal(size=(3, 9, 8)).astype("float32")
    mask = np.ones((3, 9), bool)
    mask[0, 6:] = mask[1, :2] = mask[2] = False
    kernel, bias, context = map(to_numpy, (layer.kernel, layer.bias, layer.context))
    expected = np.zeros((3, 3, 8))
    alphas = np.zeros((3, 2, 3, 9))
    for b in range(3):
        there = np.flatnonzero(mask[b])
        for s, start in enumerate(range(0, len(there), 4)):
            members = there[start : start + 4]
            u = np.tanh(x[b, members] @ kernel + bias)
            for n in range(2):
                e = np.exp(u @ context[:, n])
                alphas[b, n, s, members] = e / e.sum()
                own = slice(4 * n, 4 * n + 4)
                expected[b, s, own] = e / e.sum() @ x[b, members][:, own]
    pooled, weights = layer(x, mask=mask, return_attention_scores=True)
    np.testing.assert_allclose(to_numpy(pooled), expected, atol=1e-5)
    np.testing.assert_allclose(to_numpy(weights), alphas, atol=1e-5)


def test_a_segment_is_masked_where_it_has_no_element():
    mask = np.array([[True] * 5 + [False] * 4, [True] * 9, [False] * 9])
    segment_mask = SegmentPooling(4).compute_mask(np.zeros((3, 9, 2), "float32"), mask)
    np.testing.assert_array_equal(
        to_numpy(segment_mask), [[True, True, False], [True, True, True], [False, False, False]]
    )


def test_the_next_layer_sees_the_mask():
    """One segment less or more that is padding changes nothing behind."""
    layer, pooling = SegmentPooling(4), ka.layers.AttentionPooling()
    x = np.random.default_rng(0).normal(size=(2, 6, 8)).astype("float32")
    expected = to_numpy(pooling(layer(x)))
    more = np.pad(x, ((0, 0), (0, 6), (0, 0)))
    mask = np.arange(12)[None] < np.array([[6], [6]])
    pooled = layer(more, mask=mask)
    output = pooling(pooled, mask=layer.compute_mask(more, mask))
    np.testing.assert_allclose(to_numpy(output), expected, atol=1e-6)


def test_length_is_a_positive_integer():
    with pytest.raises(ValueError, match="`segment_length` must be a positive integer"):
        SegmentPooling(0)
