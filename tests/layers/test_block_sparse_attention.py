"""Block-sparse attention: cases for the contract, weights, and random blocks that are kept."""

import keras
import numpy as np

import keras_attention as ka
from keras_attention.ops.block_sparse import Pattern
from tests.backend import to_numpy
from tests.contracts import Case
from tests.ops.test_block_sparse import SEED, visible

CASES = [
    Case(
        layer=ka.layers.BlockSparseAttention,
        config={"block_size": 2, "window_blocks": 0, "random_blocks": 1, "seed": 3},
        inputs={name: (2, "T", 8) for name in ("query", "key", "value")},
        stateless=True,
    )
]


def test_weights_are_those_of_dense_attention_under_the_mask():
    """Captured, of all queries and of some; and with a further `attention_mask`."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 22, 16)).astype("float32")
    mask = np.arange(22) < np.array([[22], [13]])
    pattern = Pattern(4, 0, 1, 1, SEED, causal=True)
    sees = np.stack([visible(pattern, row) for row in mask])
    further = rng.random((2, 22, 22)) < 0.7
    mechanism = ka.layers.BlockSparseAttention(4, 0, 1, 1, seed=SEED)
    layer = ka.layers.MultiHeadSelfAttention(4, num_kv_heads=2, causal=True, mechanism=mechanism)
    dense = ka.layers.MultiHeadSelfAttention(4, num_kv_heads=2)
    layer.build(x.shape)
    dense.build(x.shape)
    dense.set_weights(layer.get_weights())
    for given in (None, further):
        both = sees if given is None else sees & given
        expected, weights = dense(x, mask=mask, attention_mask=both, return_attention_scores=True)
        np.testing.assert_allclose(
            to_numpy(layer(x, mask=mask, attention_mask=given)), to_numpy(expected), atol=1e-5
        )
        with ka.capture() as maps:
            layer(x, mask=mask, attention_mask=given)
        (recorded,) = maps.values()
        np.testing.assert_allclose(to_numpy(recorded), to_numpy(weights), atol=1e-6)
    with ka.capture(queries=[0, 9, -1]) as maps:
        output = layer(x, mask=mask, attention_mask=given)
    (some,) = maps.values()
    np.testing.assert_allclose(to_numpy(some), to_numpy(weights)[:, :, [0, 9, -1]], atol=1e-6)
    np.testing.assert_allclose(to_numpy(output), to_numpy(expected), atol=1e-5)


def test_random_blocks_are_drawn_for_each_layer_and_kept(tmp_path):
    mechanism = ka.layers.BlockSparseAttention(2, window_blocks=0, random_blocks=2)

    def build():
        keras.utils.set_random_seed(1)
        inputs = keras.Input((None, 8))
        y = inputs
        for _ in range(2):
            y = ka.layers.TransformerBlock(2, 16, mechanism=mechanism)(y)
        return keras.Model(inputs, y)

    model = build()
    seeds = [layer.attention.mechanism.seed for layer in model.layers[1:]]
    assert len(set(seeds)) == 2
    assert mechanism.seed is None
    assert [layer.attention.mechanism.seed for layer in build().layers[1:]] == seeds
    ka.save_model(model, tmp_path / "model.keras")
    loaded = ka.load_model(tmp_path / "model.keras")
    assert [layer.attention.mechanism.seed for layer in loaded.layers[1:]] == seeds
