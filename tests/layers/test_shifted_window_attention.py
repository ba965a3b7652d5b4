"""Attention in shifted windows: a case for the contract, weights, a mask, a grid from a file."""

import numpy as np

import keras_attention as ka
from tests.backend import to_numpy
from tests.contracts import Case

CASES = [
    Case(
        layer=ka.layers.ShiftedWindowAttention,
        config={"window_size": 2, "shift": 1, "grid": (2, 3)},
        inputs={name: (2, 6, 8) for name in ("query", "key", "value")},
        lengths=(6,),
    )
]


def test_weights_are_what_is_used():
    """Of all queries and of some, with a padding mask and an `attention_mask`; a token that is
    masked, and one that sees nothing, are exactly zero."""
    mechanism = ka.layers.ShiftedWindowAttention(2, shift=1)
    layer = ka.layers.MultiHeadSelfAttention(2, mechanism=mechanism)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 16, 8)).astype("float32")  # a square
    layer.build(x.shape)
    layer.mechanism.table.assign(rng.normal(size=(9, 2)))
    mask = rng.random((2, 16)) < 0.7
    expected, weights = layer(x, mask=mask, return_attention_scores=True)
    expected, weights = to_numpy(expected), to_numpy(weights)
    output = to_numpy(layer(np.where(mask[..., None], x, np.nan), mask=mask))
    np.testing.assert_allclose(output, expected, atol=1e-6)
    np.testing.assert_array_equal(output[~mask], 0)
    assert ((weights > 0).sum(-1) <= 4).all()
    np.testing.assert_allclose(weights.sum(-1)[np.repeat(mask[:, None], 2, 1)], 1, atol=1e-6)
    with ka.capture(queries=[1, 5, -1]) as maps:
        layer(x, mask=mask)
    np.testing.assert_allclose(to_numpy(maps[layer.path]), weights[:, :, [1, 5, -1]], atol=1e-6)
    whole = layer(x, mask=mask, attention_mask=np.ones((1, 16, 16), bool))
    np.testing.assert_allclose(to_numpy(whole), expected, atol=1e-6)
    alone = to_numpy(layer(x, attention_mask=~np.eye(16, dtype=bool)[None]))
    np.testing.assert_array_equal(alone[:, 0], 0)  # the corner is a window of its own
    assert np.abs(to_numpy(layer(x))[:, 0]).min() > 0
