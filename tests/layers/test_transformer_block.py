"""The transformer block: cases for the contract, its dropouts."""

import numpy as np
import pytest

import keras_attention as ka
from tests.backend import to_numpy
from tests.contracts import Case


def case(causal=False, silent=("key_bias",), **config):
    return Case(
        layer=ka.layers.TransformerBlock,
        config={"num_heads": 4, "intermediate_dim": 20, "causal": causal, **config},
        inputs={"query": ("T", 16)},
        masks={"mask": "query"},
        dropout={"dropout": 0.4},
        causal=causal,
        hears=("query_kernel", "query_bias"),
        silent=silent,
    )


CASES = [
    case(norm_first=True),
    case(norm_first=False, activation="relu"),
    case(
        norm="rms",
        causal=True,
        activation="swiglu",
        position="rotary",
        num_kv_heads=2,
        use_bias=False,
    ),
]


@pytest.mark.parametrize(
    "name", ["dropout", "attention_dropout", "activation_dropout", "stochastic_depth"]
)
def test_each_dropout_acts_in_training_alone(name):
    layer = CASES[0].make(**{name: 0.5})
    data = CASES[0].data(batch=8)
    inference = to_numpy(layer(**data))
    np.testing.assert_array_equal(to_numpy(layer(**data)), inference)
    assert np.abs(to_numpy(layer(**data, training=True)) - inference).max() > 1e-3


def test_stochastic_depth_skips_whole_samples():
    """A sub-layer is dropped for all of a sample or none, and scaled by 1 / (1 - p)."""
    layer = CASES[0].make(stochastic_depth=0.5)
    for weight in layer.feed_forward.weights:
        weight.assign(np.zeros(weight.shape))
    x = CASES[0].data(batch=64)["query"]
    whole = to_numpy(layer(x)) - x
    kept = (to_numpy(layer(x, training=True)) - x) / whole
    per_sample = kept.reshape(64, -1)
    np.testing.assert_allclose(
        per_sample, per_sample[:, :1].repeat(per_sample.shape[1], 1), atol=2e-2
    )
    assert set(np.round(per_sample[:, 0]).astype(int)) == {0, 2}
