"""A bias that blocks share: cases for the contract, and blocks with it against copies of it."""

from functools import partial

import keras
import numpy as np
import pytest

import keras_attention as ka
from keras_attention import kernels
from keras_attention.layers import ALiBi, AttentionBias, RelativePositionBias
from keras_attention.saving.tensors import weights
from tests.backend import compiled, to_numpy
from tests.contracts import Case
from tests.decoding.models import V, greedy

CASES = [
    Case(
        layer=AttentionBias,
        config={"num_heads": 3, "position": RelativePositionBias(8, 6)},
        inputs={"inputs": ("T", 5)},
        by_row=False,
    ),
]
B, T, N, D = 2, 9, 4, 16
RIGHT = np.arange(T) < np.array([[T], [5]])
LEFT = RIGHT[:, ::-1]
CALLS = {
    "all": {},
    "padded right": {"mask": RIGHT},
    "padded left": {"mask": LEFT},
    "masked": {"mask": LEFT, "attention_mask": np.tri(T, dtype=bool)[None]},
}


def pair(**config):
    """A block with its own bias, the same block without, and its bias to be shared."""
    causal = config.get("causal", False)
    position = RelativePositionBias(8, 6, bidirectional=not causal)
    own = ka.layers.TransformerBlock(N, 20, position=position, **config)
    block = ka.layers.TransformerBlock(N, 20, **config)
    shared = AttentionBias(N, position)
    rng = np.random.default_rng(0)
    own.build((B, T, D))
    block.build((B, T, D))
    shared.build((B, T, D))
    for variable in own.trainable_variables:
        variable.assign(0.4 * rng.normal(size=variable.shape))
    shared.position.table.assign(own.attention.position.table)
    table = own.attention.position.table
    kept = [v for v in own.trainable_variables if v is not table]
    for variable, value in zip(block.trainable_variables, kept, strict=True):
        variable.assign(value)
    return own, block, shared


def captured(function):
    with ka.capture(queries=[1, -2]) as maps:
        output = function()
    (recorded,) = maps.values()
    return to_numpy(output), to_numpy(recorded)


@pytest.mark.parametrize("branch", kernels.BRANCHES)
@pytest.mark.parametrize("config", [{}, {"causal": True, "window": 3, "num_kv_heads": 2}], ids=str)
def test_a_shared_bias_is_that_of_the_block(config, branch):
    """With masks, in windows, on every branch, and in the weights of some of the queries."""
    own, block, shared = pair(**config)
    x = np.random.default_rng(1).normal(size=(B, T, D)).astype("float32")
    with kernels.forced(branch, block=4):
        for call in CALLS.values():
            bias = shared(x)
            expected, own_weights = captured(partial(own, x, **call))
            np.testing.assert_allclose(to_numpy(own(x, **call)), expected, atol=1e-5)
            output, of_shared = captured(partial(block, x, attention_bias=bias, **call))
            np.testing.assert_allclose(output, expected, atol=1e-5)
            np.testing.assert_allclose(of_shared, own_weights, atol=1e-6)
            output = to_numpy(block(x, attention_bias=bias, **call))
            np.testing.assert_allclose(output, expected, atol=1e-5)
            assert np.abs(to_numpy(block(x, **call)) - expected).max() > 1e-3


def test_a_bias_goes_with_one_of_the_block():
    """Both are added; one for each row, and one for all heads and rows."""
    block = ka.layers.MultiHeadSelfAttention(N, position="alibi")
    rng = np.random.default_rng(2)
    x, bias = rng.normal(size=(B, T, D)), rng.normal(size=(B, N, T, T)).astype("float32")
    alibi = to_numpy(ALiBi()(np.zeros((1, N, T, T), "float32")))
    np.testing.assert_array_equal(to_numpy(AttentionBias(N, "alibi")(x)), alibi)
    other = ka.layers.MultiHeadSelfAttention(N)
    for layer in (block, other):
        layer.build((B, T, D))
    other.set_weights(block.get_weights())
    for given in (bias, bias[:1, :1]):
        output = to_numpy(block(x, attention_bias=given, mask=LEFT))
        both = to_numpy(other(x, attention_bias=given + alibi, mask=LEFT))
        np.testing.assert_allclose(output, both, atol=1e-5)


def language_model(*, shared):
    """A decoder whose blocks share a bias of T5's, or have copies of it."""
    tokens = keras.Input((None,), dtype="int32", name="token_ids")
    x = keras.layers.Embedding(V, 8, mask_zero=True)(tokens)
    position = RelativePositionBias(8, 20, bidirectional=False)
    bias = AttentionBias(4, position, name="attention_bias")(x) if shared else None
    own = None if shared else position
    for i in range(2):
        x = ka.layers.TransformerBlock(
            4, 16, causal=True, position=own, scale=1.0, name=f"block_{i}"
        )(x, attention_bias=bias)
    model = keras.Model(tokens, keras.layers.Dense(V)(x))
    rng = np.random.default_rng(3)
    for name, variable in sorted(weights(model).items()):
        table = np.random.default_rng(4)  # the same in each of the copies
        variable.assign((table if name.endswith("table") else rng).normal(size=variable.shape) / 2)
    return model


def test_decoding_continues_with_it(recwarn):
    """Prompts of different lengths together, as each alone without a cache; beams too."""
    model, copies = language_model(shared=True), language_model(shared=False)
    prompts = [[3, 5, 2], [7], [4, 4, 9, 1, 6]]
    expected = [greedy(model, row, 6) for row in prompts]
    generated = ka.generate(model, prompts, max_new_tokens=6)
    assert [row.tolist() for row in generated] == expected
    for sampler in (ka.decoding.Greedy(), ka.decoding.BeamSearch(3)):
        rows = [ka.generate(m, prompts, sampler=sampler, max_new_tokens=6) for m in (model, copies)]
        for ours, theirs in zip(*rows, strict=True):
            np.testing.assert_array_equal(ours, theirs)
    assert not [w for w in recwarn if "No cache continues" in str(w.message)]


def test_it_is_in_the_file_once(tmp_path):
    model = language_model(shared=True)
    x = np.array([[0, 0, 3, 4, 1], [2, 1, 5, 6, 7]], "int32")
    expected = to_numpy(compiled(model, model.variables)(x))
    ka.save_model(model, tmp_path / "model.keras")
    loaded = ka.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(to_numpy(compiled(loaded, loaded.variables)(x)), expected)
    assert [name for name in weights(loaded) if "table" in name] == [
        "attention_bias/position/table"
    ]


@pytest.mark.runs_on("torch")
def test_explanations_see_it():
    """Maps with the bias in them, each of the layer that reads the sequence itself."""
    model = language_model(shared=True)
    x = np.array([[3, 4, 1, 2]], "int32")
    maps = ka.explain.attention_maps(model, x)
    assert list(maps) == ["block_0/attention", "block_1/attention"]
    relevance = ka.explain.rollout(model, x, position=-1)
    assert np.isfinite(np.asarray(relevance.scores)).all()


@pytest.mark.runs_on("torch")
@pytest.mark.parametrize(
    ("layer", "bias", "words"),
    [
        (ka.layers.TransformerBlock(N, 8), (1, 1, T, T - 1), "attention_bias"),
        (ka.layers.TransformerBlock(N, 8), (1, 3, T, T), "attention_bias"),
        (ka.layers.TransformerBlock(N, 8), (T, T), "rank 4"),
        (ka.layers.TransformerBlock(N, 8, mechanism="linear"), (1, N, T, T), "dense"),
    ],
)
def test_errors_name_the_argument(layer, bias, words):
    with pytest.raises(ValueError, match=words):
        layer(np.zeros((B, T, D)), attention_bias=np.zeros(bias))
