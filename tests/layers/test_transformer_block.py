"""The transformer block: cases for the contract, its dropouts."""

import json

import keras
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
    case(
        norm=keras.layers.LayerNormalization(center=False, epsilon=1e-3),
        attention_norm=False,
        activation="geglu_tanh",
        position="rotary",
        window=3,
        scale=0.3,
        use_bias=("query", "output"),
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


def variables(layer):
    return {variable.path.split("/", 1)[-1] for variable in layer.trainable_variables}


BIASES = {f"attention/{name}_bias" for name in ("query", "key", "value", "output")}
BIASES |= {f"feed_forward/{name}_bias" for name in ("input", "output")}


@pytest.mark.runs_on("torch")
@pytest.mark.parametrize(
    ("use_bias", "names"),
    [
        (True, BIASES),
        (False, set()),
        ([], set()),
        (["value", "query"], {"attention/query_bias", "attention/value_bias"}),
        ({"feed_forward"}, {"feed_forward/input_bias", "feed_forward/output_bias"}),
        (("query", "key", "value", "output", "feed_forward"), BIASES),
    ],
    ids=["all", "none", "empty", "two", "feed forward", "by name"],
)
def test_biases_by_name(use_bias, names):
    """Those that are named, and the same again from a configuration in JSON."""
    block = ka.layers.TransformerBlock(2, 12, use_bias=use_bias, name="block")
    again = type(block).from_config(json.loads(json.dumps(block.get_config())))
    for layer in (block, again):
        layer.build((1, 3, 8))
        assert {name for name in variables(layer) if name.endswith("_bias")} == names
    decoder = ka.layers.TransformerDecoderBlock(2, 12, use_bias=use_bias)
    decoder.build((1, 3, 8), (1, 4, 6))
    cross = {f"cross_{name}" for name in names if name.startswith("attention")}
    assert {name for name in variables(decoder) if name.endswith("_bias")} == names | cross


@pytest.mark.runs_on("torch")
def test_norms_of_a_layer():
    """Each norm is a copy of the layer, with its settings; without one at the attention, none."""
    norm = keras.layers.LayerNormalization(center=False, epsilon=0.01)
    block = ka.layers.TransformerBlock(2, 12, norm=norm, attention_norm=False, dtype="float64")
    block.build((1, 3, 8))
    assert {name for name in variables(block) if "norm" in name} == {"feed_forward_norm/gamma"}
    assert block.feed_forward_norm is not norm
    assert block.feed_forward_norm.epsilon == 0.01
    assert block.feed_forward_norm.compute_dtype == "float64"
    assert block.get_config()["epsilon"] is None
    assert ka.layers.TransformerBlock(2, 12).get_config()["epsilon"] == 1e-5


@pytest.mark.runs_on("torch")
@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"norm": "batch"}, "`norm` must be one of 'layer', 'rms'"),
        ({"norm": None}, "`norm` must be one of"),
        ({"norm": keras.layers.LayerNormalization(), "epsilon": 1e-6}, "a layer has its own"),
        ({"use_bias": ("query", "gate")}, "`use_bias` must be True, False, or a tuple"),
        ({"use_bias": "query"}, "`use_bias` must be True, False, or a tuple"),
        ({"use_bias": None}, "`use_bias` must be True, False, or a tuple"),
    ],
    ids=str,
)
def test_errors_name_the_argument(settings, words):
    with pytest.raises(ValueError, match=words):
        ka.layers.TransformerBlock(2, 12, **settings)
