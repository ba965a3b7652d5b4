"""Every branch of attention against NumPy in float64: outputs, gradients, dropout, choice."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_attention import kernels
from keras_attention.ops import attention
from keras_attention.ops.softmax import Softmax
from tests.backend import BACKEND, gradients, to_numpy

B, N, K, T, H = 2, 4, 2, 22, 8  # five whole blocks of 4 and a rest
CASES = [  # causal, window, masked, biased
    (False, None, None, False),
    (False, None, "any", True),
    (False, 5, "any", False),
    (True, None, "keys", True),
    (True, 5, None, True),
    (True, 5, "keys", False),
]


def numpy_attention(query, key, value, sees, bias, upstream):
    """Output and gradients of `sum(output * upstream)` (Vaswani et al., 2017, equation 1)."""
    query, key, value = (x.astype("float64") for x in (query, key, value))
    length, groups = query.shape[2], N // K
    keys, values = (np.repeat(x, groups, axis=1) for x in (key, value))
    scale = H**-0.5
    logits = scale * np.einsum("bnth,bnsh->bnts", query, keys) + (0 if bias is None else bias)
    exp = np.where(sees, np.exp(logits - logits.max(-1, keepdims=True)), 0.0)
    weights = exp / np.maximum(exp.sum(-1, keepdims=True), 1e-300)
    d_weights = np.einsum("bnth,bnsh->bnts", upstream, values)
    d_logits = weights * (d_weights - (d_weights * weights).sum(-1, keepdims=True))
    d_keys = scale * np.einsum("bnts,bnth->bnsh", d_logits, query)
    d_values = np.einsum("bnts,bnth->bnsh", weights, upstream)
    by_kv_head = [x.reshape(B, K, groups, length, H).sum(2) for x in (d_keys, d_values)]
    d_query = scale * np.einsum("bnts,bnsh->bnth", d_logits, keys)
    d_bias = [] if bias is None else [d_logits.sum(0, keepdims=True)]
    return np.einsum("bnts,bnsh->bnth", weights, values), [d_query, *by_kv_head, *d_bias]


def visible(causal, window, mask):
    t, s = np.arange(T)[:, None], np.arange(T)[None]
    sees = (s <= t) if causal else np.ones((T, T), bool)
    if window is not None:
        sees = sees & (abs(t - s) < window)
    return np.broadcast_to(sees & (True if mask is None else mask), (B, N, T, T))


@pytest.mark.parametrize("branch", kernels.BRANCHES)
@pytest.mark.parametrize(("causal", "window", "masked", "biased"), CASES)
def test_branch_is_the_equation(branch, causal, window, masked, biased):
    rng = np.random.default_rng(0)
    query, upstream = rng.normal(size=(2, B, N, T, H)).astype("float32")
    key, value = rng.normal(size=(2, B, K, T, H)).astype("float32")
    bias = rng.normal(size=(1, N, T, T)).astype("float32") if biased else None
    mask = None
    if masked == "keys":
        mask = (np.arange(T) < np.array([[15], [0]]))[:, None, None]  # one sequence sees nothing
    if masked == "any":
        mask = rng.random((B, 1, T, T)) < 0.5
        mask[0, 0, 3] = False
    expected, expected_gradients = numpy_attention(
        query, key, value, visible(causal, window, mask), bias, upstream
    )
    seen = None if mask is None else ops.convert_to_tensor(mask)

    def attend(query, key, value, bias=None):
        with kernels.forced(branch, block=4):
            return attention.dot_product_attention(
                query, key, value, mask=seen, bias=bias, causal=causal, window=window
            )

    arrays = [query, key, value, *([bias] if biased else [])]
    output = to_numpy(attend(*map(ops.convert_to_tensor, arrays)))
    np.testing.assert_allclose(output, expected, atol=2e-6)
    _, by_array, _ = gradients(lambda *xs: ops.sum(ops.multiply(attend(*xs), upstream)), arrays)
    for gradient, right in zip(by_array, expected_gradients, strict=True):
        np.testing.assert_allclose(gradient, right, atol=1e-5)


@pytest.mark.parametrize("branch", [b for b in kernels.BRANCHES if b != "fused"])
@pytest.mark.parametrize("causal", [False, True])
def test_dropout_drops_weights(branch, causal):
    """Its share, no others, scaled; the gradient is that of the weights that were kept."""
    rng = np.random.default_rng(1)
    query, key = rng.normal(size=(2, B, N, T, T)).astype("float32")
    value = np.broadcast_to(np.eye(T, dtype="float32"), (B, N, T, T)).copy()  # shows the weights
    rate = 0.3

    def attend(query, key, value, dropout=rate):
        with kernels.forced(branch, block=4):
            seed = keras.random.SeedGenerator(7)
            tensors = map(ops.convert_to_tensor, (query, key, value))
            return attention.dot_product_attention(
                *tensors, causal=causal, softmax=Softmax(dropout=dropout, seed=seed)
            )

    used, again, weights = (
        to_numpy(attend(query, key, value, dropout)) for dropout in (rate, rate, 0.0)
    )
    np.testing.assert_array_equal(used, again)
    kept = used != 0
    np.testing.assert_allclose(used[kept], (weights / (1 - rate))[kept], rtol=1e-5)
    drawn = kept[weights > 0]
    assert abs(drawn.mean() - (1 - rate)) < 4 * np.sqrt(rate * (1 - rate) / drawn.size)
    patterns = {kept[b, n, -1].tobytes() for b in range(B) for n in range(N)}
    assert len(patterns) == B * N, "heads drop alike"

    upstream = rng.normal(size=used.shape).astype("float32")
    _, (by_query, _, by_value), _ = gradients(
        lambda *xs: ops.sum(ops.multiply(attend(*xs), upstream)), [query, key, value]
    )
    np.testing.assert_allclose(
        by_value, np.einsum("bnts,bnth->bnsh", used, upstream), rtol=1e-4, atol=1e-5
    )
    direction, step = rng.normal(size=query.shape).astype("float32"), 1e-2
    ahead, behind = (
        float((to_numpy(attend(query + s * direction, key, value)) * upstream).sum())
        for s in (step, -step)
    )
    slope = (ahead - behind) / (2 * step)
    np.testing.assert_allclose((by_query * direction).sum(), slope, rtol=1e-2, atol=1e-2)


def test_the_table_is_what_runs():
    """Shapes (T, window, dropout) and the branch that `kernels` says they take on CPU."""
    table = {
        "torch": {
            (8192, None, 0.0): "fused",
            (1023, 256, 0.0): "fused",
            (1024, 256, 0.0): "rows",
            (2047, None, 0.1): "explicit",
            (2048, None, 0.1): "rows",
            (2048, 256, 0.1): "rows",
        },
        "jax": {(127, None, 0.0): "explicit", (128, None, 0.0): "tiled", (128, 9, 0.1): "tiled"},
        "tensorflow": {(511, None, 0.0): "explicit", (512, None, 0.0): "tiled"},
    }
    for (length, window, dropout), branch in table[BACKEND].items():
        x = ops.zeros((1, 1, length, 1))
        assert kernels.attention_branch(x, x, window=window, dropout=dropout) == branch


def test_an_unknown_branch_is_refused():
    with pytest.raises(ValueError, match=r"`branch` must be one of explicit.*Received: .*'flash'"):
        kernels.forced("flash").__enter__()


if BACKEND == "jax":  # which alone tells the memory of a compiled function

    @pytest.mark.parametrize("causal", [False, True])
    def test_tiles_need_linear_memory(causal):
        import jax

        def temporary(length):
            shape = jax.ShapeDtypeStruct((1, 2, length, 16), "float32")

            def loss(query, key, value):
                y = attention.dot_product_attention(query, key, value, causal=causal)
                return (y**2).sum()

            compiled = (
                jax.jit(jax.grad(loss, argnums=(0, 1, 2))).lower(shape, shape, shape).compile()
            )
            return compiled.memory_analysis().temp_size_in_bytes

        assert temporary(4096) < 2.5 * temporary(2048)
        assert temporary(4096) < 4096 * 4096 * 4 / 5
