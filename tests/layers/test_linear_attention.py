"""Linear attention: cases for the contract, what is captured, and what its cache holds."""

import numpy as np
import pytest

import keras_attention as ka
from tests.backend import to_numpy
from tests.contracts import Case

CASES = [
    Case(
        layer=ka.layers.LinearAttention,
        config={"feature_map": "softplus"},
        inputs={name: (2, "T", 8) for name in ("query", "key", "value")},
        stateless=True,
    )
]


def decoder():
    layer = ka.layers.MultiHeadSelfAttention(2, causal=True, mechanism="linear")
    layer.build((None, None, 8))
    return layer, np.random.default_rng(0).normal(size=(2, 6, 8)).astype("float32")


def test_an_attention_mask_hides():
    """In the quadratic form, which is what computing all weights is."""
    layer, x = decoder()
    sees = np.random.default_rng(1).random((2, 6, 6)) < 0.5
    output, weights = layer(x, attention_mask=sees, return_attention_scores=True)
    np.testing.assert_array_equal(
        to_numpy(weights) > 0, (sees & np.tri(6, dtype=bool))[:, None] & np.ones((2, 2, 6, 6), bool)
    )
    np.testing.assert_allclose(to_numpy(layer(x, attention_mask=sees)), to_numpy(output), atol=1e-6)
    with ka.capture(queries=[2, -1]) as maps:
        layer(x)
    (recorded,) = maps.values()
    _, weights = layer(x, return_attention_scores=True)
    np.testing.assert_allclose(to_numpy(recorded), to_numpy(weights)[:, :, [2, 5]], atol=1e-6)


def test_the_cache_is_of_one_size_and_has_no_weights():
    layer, x = decoder()
    expected = to_numpy(layer(x))
    with ka.capture() as maps, ka.cache(max_length=6) as cache:
        layer(x[:, :4])
    assert to_numpy(maps[layer.path]).shape == (2, 2, 4, 4)
    (state,) = cache.state[layer.path].values()
    assert state.shape == (2, 2, 4, 5)
    with ka.cache(cache.state, index=4) as cache:
        output = to_numpy(layer(x[:, 4:]))
    np.testing.assert_allclose(output, expected[:, 4:], atol=1e-5)
    for call in ({"return_attention_scores": True}, {"attention_mask": np.ones((2, 1, 5), bool)}):
        with (
            ka.cache(cache.state, index=6),
            pytest.raises(ValueError, match="holds sums of keys, not the keys"),
        ):
            layer(x[:, :1], **call)
    with (
        ka.capture(),
        ka.cache(cache.state, index=6),
        pytest.raises(ValueError, match="outside of the cache scope"),
    ):
        layer(x[:, :1])
