"""Attention maps of KerasHub's layers and models, beside the scores that its layers return."""

import keras
import numpy as np
import pytest

import keras_attention as ka
from keras_attention.explain.maps.attention_maps import attention_maps
from tests.backend import to_numpy
from tests.explain.maps import test_streams

keras_hub = pytest.importorskip("keras_hub")
B, T, S, D, N = 2, 4, 5, 8, 2
RNG = np.random.default_rng(0)
TARGET, SOURCE = (RNG.normal(size=(B, size, D)).astype("float32") for size in (T, S))
PADDING = np.arange(S) < np.array([[5], [3]])


def test_encoder_and_decoder_layers():
    """Padded, causal, from one to the other; some rows of them too."""
    source, target = keras.Input((S, D)), keras.Input((T, D))
    seen = keras.Input((S,), dtype="bool")
    encoder = keras_hub.layers.TransformerEncoder(16, N, name="encoder")
    decoder = keras_hub.layers.TransformerDecoder(16, N, dropout=0.1, name="decoder")
    memory = encoder(source, padding_mask=seen)
    output = decoder(target, memory, encoder_padding_mask=seen)
    model = keras.Model([source, target, seen], output)
    inputs = [SOURCE, TARGET, PADDING]
    maps = attention_maps(model, inputs)
    assert [weights.shape for weights in maps.values()] == [
        (B, N, S, S),
        (B, N, T, T),
        (B, N, T, S),
    ]
    of_encoder, of_self, of_cross = maps.values()
    assert not of_encoder[1, ..., 3:].any()
    assert not of_cross[1, ..., 3:].any()
    np.testing.assert_array_equal(of_self, np.tril(of_self))
    _, expected = encoder(SOURCE, padding_mask=PADDING, return_attention_scores=True)
    np.testing.assert_allclose(of_encoder, to_numpy(expected), atol=1e-6)
    some = attention_maps(model, inputs, queries=[-1, 0], heads=[1])
    for path, weights in maps.items():
        np.testing.assert_allclose(some[path], weights[:, 1:, [-1, 0]], atol=1e-6)


def test_a_language_model():
    model = keras_hub.models.GPT2Backbone(20, 2, N, D, 16, max_sequence_length=8)
    inputs = {"token_ids": RNG.integers(20, size=(B, T)), "padding_mask": np.ones((B, T), int)}
    maps = attention_maps(model, inputs)
    assert [weights.shape for weights in maps.values()] == [(B, N, T, T)] * 2
    for weights in maps.values():
        np.testing.assert_allclose(weights.sum(-1), 1, atol=1e-5)
        np.testing.assert_array_equal(weights, np.tril(weights))
    with ka.capture() as nothing:  # Keras's layers are recorded on request alone
        model(inputs)
    assert not nothing


def test_streams_of_blocks():
    """Which sequence each of their attention layers reads and writes to."""
    a, x = test_streams.embedded("a")
    b, y = test_streams.embedded("b")
    y = keras_hub.layers.TransformerEncoder(8, 2, name="encoder")(y)
    x = keras_hub.layers.TransformerDecoder(8, 2, name="decoder")(x, y)
    x = keras_hub.layers.TransformerDecoder(8, 2, name="again")(
        encoder_sequence=y, decoder_sequence=x
    )
    reads, readouts = test_streams.describe(
        keras.Model([a, b], x), {"a": test_streams.IDS, "b": test_streams.OTHERS}
    )
    assert [read.split(": ")[1] for read in reads] == [
        "b@0 <- b@0",
        "a@0 <- a@0",
        "a@1 <- b@1",
        "a@2 <- a@2",
        "a@3 <- b@1",
    ]
    assert readouts == [("a@4", None)]
