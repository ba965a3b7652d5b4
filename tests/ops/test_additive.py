"""Additive scores and their gradients, in one piece and in chunks, against NumPy."""

import numpy as np
import pytest
from keras import ops

from keras_attention.kernels import runtime
from keras_attention.ops import additive
from tests.backend import gradients, to_numpy

CHUNK_NUMBERS = 2**12
SIZES = {
    "one piece": (2, 5, 7, 6),
    "chunks": (2, 40, 30, 10),  # of 13 queries, the last one not full
    "a query a chunk": (1, 3, 300, 64),
    "one step": (2, 1, 300, 64),
}


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(runtime, "chunk_numbers", lambda: CHUNK_NUMBERS)


def expected(query, key, vector, cotangent):
    """Scores, and gradients by all three: the paper's A.1.2 and its derivatives, in float64."""
    query, key, vector, cotangent = (x.astype("float64") for x in (query, key, vector, cotangent))
    hidden = np.tanh(query[:, :, None] + key[:, None])
    inner = cotangent[..., None] * (1 - hidden**2) * vector
    by_vector = np.einsum("bts,btsu->u", cotangent, hidden)
    return hidden @ vector, inner.sum(2), inner.sum(1), by_vector


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("activation", [None, ops.tanh], ids=["kernel", "loop"])
def test_scores_and_gradients(sizes, activation):
    batch, length, key_length, units = sizes
    rng = np.random.default_rng(0)
    shapes = [(batch, length, units), (batch, key_length, units), (units,)]
    arrays = [rng.normal(size=shape).astype("float32") for shape in shapes]
    cotangent = rng.normal(size=(batch, length, key_length)).astype("float32")

    def loss(*xs):
        return ops.sum(ops.multiply(additive.scores(*xs, activation), cotangent))

    scores = to_numpy(additive.scores(*map(ops.convert_to_tensor, arrays), activation))
    _, by_array, _ = gradients(loss, arrays)
    for a, b in zip([scores, *by_array], expected(*arrays, cotangent), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5 * max(1.0, np.abs(b).max()))


def test_a_vector_for_each_head():
    """As dense GATv2 needs it: another activation, leading axes `(B, heads)`, v `(heads, U)`."""
    rng = np.random.default_rng(1)
    query, key = rng.normal(size=(2, 2, 3, 60, 64)).astype("float32")
    vector = rng.normal(size=(3, 64)).astype("float32")
    hidden = np.maximum(query[..., :, None, :] + key[..., None, :, :], 0.0)
    expected_scores = np.einsum("bntsu,nu->bnts", hidden, vector)
    assert query.shape[-2] * key.shape[-2] * 64 > CHUNK_NUMBERS
    scores = additive.scores(*map(ops.convert_to_tensor, (query, key, vector)), ops.relu)
    np.testing.assert_allclose(to_numpy(scores), expected_scores, rtol=1e-4, atol=1e-4)
