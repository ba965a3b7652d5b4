"""Layers against the equations of their papers, written down in NumPy one by one, in float64."""

import math

import numpy as np
import pytest
import torch

from keras_attention.layers import (
    AttentionPooling,
    BahdanauAttention,
    FeedForward,
    LuongAttention,
    MultiHeadSelfAttention,
    PositionalEncoding,
    ShawRelativePosition,
)
from keras_attention.training.schedules import InverseSqrtWarmup
from tests.references.compare import (
    assert_same,
    gradients,
    normal,
    randomize_layer,
    to_numpy,
    weights,
)

B, T, S = 3, 8, 6
LEFT_PADDED_QUERY = np.arange(T) >= np.array([[0], [3], [2]])
# Padding after, before, and on both sides.
MEMORY_PADDING = np.array([[1, 1, 1, 1, 0, 0], [0, 0, 1, 1, 1, 1], [0, 1, 1, 1, 1, 0]], bool)


def softmax(logits, seen):
    """Softmax over what is seen; zeros where nothing is."""
    result = np.zeros_like(logits)
    if seen.any():
        exp = np.exp(logits[seen] - logits[seen].max())
        result[seen] = exp / exp.sum()
    return result


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


# Bahdanau et al., 2015


def bahdanau(w, query, key, value, seen):
    """Appendix A.1.2; `seen` is (B, T, S)."""
    outputs = np.zeros((*query.shape[:2], value.shape[-1]))
    alphas = np.zeros(seen.shape)
    for b, t in np.ndindex(query.shape[:2]):
        # e_ij = v_a . tanh(W_a s_{i-1} + U_a h_j)
        e = np.array(
            [
                w["vector"][:, 0] @ np.tanh(query[b, t] @ w["query_kernel"] + h @ w["key_kernel"])
                for h in key[b]
            ]
        )
        alphas[b, t] = softmax(e, seen[b, t])  # equation 6
        outputs[b, t] = alphas[b, t] @ value[b]  # equation 5
    return outputs, alphas


@pytest.mark.parametrize("separate_keys", [False, True], ids=["values", "keys"])
@pytest.mark.parametrize("masked", [False, True], ids=["full", "masked"])
def test_bahdanau(separate_keys, masked):
    query, value = normal(B, T, 5, seed=1), normal(B, S, 9, seed=2)
    key = normal(B, S, 7, seed=3) if separate_keys else value
    seen, call = np.ones((B, T, S), bool), {}
    if masked:
        given = np.random.default_rng(4).random((B, T, S)) < 0.6
        call = {
            "query_mask": LEFT_PADDED_QUERY,
            "value_mask": MEMORY_PADDING,
            "attention_mask": given,
        }
        seen = given & LEFT_PADDED_QUERY[:, :, None] & MEMORY_PADDING[:, None]
    layer = BahdanauAttention(units=11)
    layer.build(query.shape, value.shape, key.shape)
    randomize_layer(layer, seed=5)
    output, alphas = layer(
        query,
        value,
        key if separate_keys else None,
        **call,
        return_attention_scores=True,
    )
    expected, expected_alphas = bahdanau(weights(layer), query, key, value, seen)
    assert_same(output, expected)
    assert_same(alphas, expected_alphas)


def test_bahdanau_in_chunks():
    """T x S large enough to be computed in chunks; the last chunk of queries is not full."""
    length, key_length, units = 70, 300, 12
    query, value = normal(2, length, 10, seed=6), normal(2, key_length, 14, seed=7)
    padding = np.arange(key_length) < np.array([[300], [170]])
    layer = BahdanauAttention(units)
    layer.build(query.shape, value.shape)
    randomize_layer(layer, seed=8)
    variables = [layer.query_kernel, layer.key_kernel, layer.vector]
    cotangent = normal(2, length, 14, seed=9, scale=0.1)

    q, v, w, u, vector = (
        torch.tensor(x, dtype=torch.float64, requires_grad=True)
        for x in (query, value, *(to_numpy(variable.value) for variable in variables))
    )
    e = (torch.tanh((q @ w)[:, :, None] + (v @ u)[:, None]) @ vector)[..., 0]
    alphas = e.masked_fill(~torch.from_numpy(padding)[:, None], -torch.inf).softmax(-1)
    expected = alphas @ v
    expected_gradients = torch.autograd.grad(
        (expected * torch.from_numpy(cotangent)).sum(), (q, v, w, u, vector)
    )

    output, ours = layer(query, value, value_mask=padding, return_attention_scores=True)
    assert_same(output, expected)
    assert_same(ours, alphas)
    ours = gradients(
        lambda query, value: layer(query, value, value_mask=padding),
        [query, value],
        cotangent,
        variables,
    )
    for gradient, expected_gradient in zip(ours, expected_gradients, strict=True):
        assert_same(gradient, expected_gradient)


# Luong et al., 2015


def luong_score(w, score, h_t, h_s):
    """Equation 8; "concat" with W_a split into what meets h_t and what meets h_s."""
    if score == "dot":
        return h_t @ h_s
    if score == "general":
        return h_t @ w["kernel"] @ h_s
    return w["vector"][:, 0] @ np.tanh(
        np.concatenate([h_t, h_s]) @ np.concatenate([w["query_kernel"], w["key_kernel"]])
    )


def luong(w, score, alignment, window, query, key, value, query_mask, memory_mask):
    outputs = np.zeros((*query.shape[:2], value.shape[-1]))
    alphas = np.zeros((*query.shape[:2], value.shape[1]))
    for b, t in np.ndindex(query.shape[:2]):
        if not query_mask[b, t]:
            continue
        h_t = query[b, t]
        memory = np.flatnonzero(memory_mask[b])
        size = len(memory)
        if alignment == "local_m":
            p_t = t - np.flatnonzero(query_mask[b])[0]
        elif alignment == "local_p":  # equation 9
            hidden = np.tanh(h_t @ w["position_kernel"])
            p_t = size * sigmoid(hidden @ w["position_vector"][:, 0])
        logits = np.array([luong_score(w, score, h_t, key[b, s]) for s in memory])
        seen = np.ones(size, bool)
        if alignment != "global":  # section 3.2: the window [p_t - D, p_t + D]
            seen = np.abs(np.arange(size) - p_t) <= window
        alpha = softmax(logits, seen)  # equation 7
        if alignment == "local_p":  # equation 10, sigma = D / 2
            sigma = window / 2
            alpha = alpha * np.exp(-((np.arange(size) - p_t) ** 2) / (2 * sigma**2))
        alphas[b, t, memory] = alpha
        outputs[b, t] = alpha @ value[b, memory]
    return outputs, alphas


@pytest.mark.parametrize("masked", [False, True], ids=["full", "masked"])
@pytest.mark.parametrize("alignment", ["global", "local_m", "local_p"])
@pytest.mark.parametrize("score", ["dot", "general", "concat"])
def test_luong(score, alignment, masked):
    # T is longer than S, so that some windows of "local_m" lie behind the memory.
    key_width = 5 if score == "dot" else 7
    query, value = normal(B, T, 5, seed=10), normal(B, S, 9, seed=11)
    key = normal(B, S, key_width, seed=12)
    layer = LuongAttention(score, alignment, window=1, units=4)
    layer.build(query.shape, value.shape, key.shape)
    randomize_layer(layer, seed=13)
    call, query_mask, memory_mask = {}, np.ones((B, T), bool), np.ones((B, S), bool)
    if masked:
        query_mask, memory_mask = LEFT_PADDED_QUERY, MEMORY_PADDING
        call = {"query_mask": query_mask, "value_mask": memory_mask}
    output, alphas = layer(query, value, key, **call, return_attention_scores=True)
    expected, expected_alphas = luong(
        weights(layer), score, alignment, 1, query, key, value, query_mask, memory_mask
    )
    assert (expected_alphas.sum(-1)[query_mask] == 0).any() == (alignment == "local_m")
    assert_same(output, expected)
    assert_same(alphas, expected_alphas)


def test_predictive_alignment_finds_its_window():
    """Many queries, a long memory, and a D that makes the Gaussian matter."""
    query, value = normal(2, 40, 6, seed=14), normal(2, 50, 6, seed=15)
    layer = LuongAttention("general", "local_p", window=7)
    layer.build(query.shape, value.shape)
    randomize_layer(layer, seed=16)
    everything = np.ones((2, 40), bool), np.ones((2, 50), bool)
    expected, expected_alphas = luong(
        weights(layer), "general", "local_p", 7, query, value, value, *everything
    )
    output, alphas = layer(query, value, return_attention_scores=True)
    assert_same(output, expected)
    assert_same(alphas, expected_alphas)


# Multi-head attention with windows, and with the relative positions of Shaw et al., 2018


def attention_by_head(w, x, heads, seen, key_table=None, value_table=None):
    """Vaswani et al., equation 1, with equations 3 and 4 of Shaw et al. where there are tables."""
    batch, length, width = x.shape
    size = width // heads
    joined, alphas = np.zeros(x.shape), np.zeros((batch, heads, length, length))
    zeros = np.zeros((1, size))
    key_table = zeros if key_table is None else key_table
    value_table = zeros if value_table is None else value_table

    def relative(table, i, j):
        k = len(table) // 2  # a_ij = w_clip(j - i, k), section 3.2
        return table[max(-k, min(k, j - i)) + k]

    for b, n in np.ndindex(batch, heads):
        own = slice(n * size, (n + 1) * size)
        q, k, v = (
            x[b] @ w[f"{name}_kernel"][:, own] + w[f"{name}_bias"][own]
            for name in ("query", "key", "value")
        )
        for i in range(length):
            e = np.array(  # equation 4
                [q[i] @ (k[j] + relative(key_table, i, j)) for j in range(length)]
            ) / math.sqrt(size)
            alphas[b, n, i] = softmax(e, seen[b, i])
            for j in range(length):  # equation 3
                joined[b, i, own] += alphas[b, n, i, j] * (v[j] + relative(value_table, i, j))
    output = joined @ w["output_kernel"] + w["output_bias"]
    return np.where(seen.any(-1, keepdims=True), output, 0.0), alphas


PADDING = np.arange(T) < np.array([[8], [5], [3]])


@pytest.mark.parametrize("causal", [False, True], ids=["bidirectional", "causal"])
@pytest.mark.parametrize("use_values", [False, True], ids=["keys", "keys and values"])
@pytest.mark.parametrize("masked", [False, True], ids=["full", "masked"])
def test_shaw(causal, use_values, masked):
    x = normal(B, T, 12, seed=17)
    position = ShawRelativePosition(3, use_values=use_values)
    layer = MultiHeadSelfAttention(3, causal=causal, position=position)
    layer.build(x.shape)
    randomize_layer(layer, seed=18)
    mask = PADDING if masked else np.ones((B, T), bool)
    seen = mask[:, None] & mask[:, :, None]
    if causal:
        seen = seen & np.tril(np.ones((T, T), bool))
    w = weights(layer)
    expected, expected_alphas = attention_by_head(
        w, x, 3, seen, w["key_table"], w.get("value_table")
    )
    call = {"mask": PADDING} if masked else {}
    output, alphas = layer(x, **call, return_attention_scores=True)
    assert_same(output, expected)
    assert_same(layer(x, **call), expected)
    assert_same(alphas, expected_alphas)


@pytest.mark.parametrize("causal", [False, True], ids=["bidirectional", "causal"])
@pytest.mark.parametrize("window", [1, 3])
@pytest.mark.parametrize("masked", [False, True], ids=["full", "masked"])
def test_sliding_window(causal, window, masked):
    """Jiang et al., 2023 (https://arxiv.org/abs/2310.06825), section 2: i - W < j <= i."""
    x = normal(B, T, 12, seed=19)
    layer = MultiHeadSelfAttention(3, causal=causal, window=window)
    layer.build(x.shape)
    randomize_layer(layer, seed=20)
    mask = PADDING if masked else np.ones((B, T), bool)
    seen = np.zeros((B, T, T), bool)
    for b, i, j in np.ndindex(B, T, T):
        near = i - window < j <= i if causal else i - window < j < i + window
        seen[b, i, j] = near and mask[b, i] and mask[b, j]
    expected, expected_alphas = attention_by_head(weights(layer), x, 3, seen)
    call = {"mask": PADDING} if masked else {}
    output, alphas = layer(x, **call, return_attention_scores=True)
    assert_same(output, expected)
    assert_same(layer(x, **call), expected)
    assert_same(alphas, expected_alphas)


# Yang et al., 2016


@pytest.mark.parametrize("heads", [1, 3])
@pytest.mark.parametrize("units", [None, 7])
def test_hierarchical_attention_pooling(heads, units):
    h, mask = normal(B, S, 12, seed=21), MEMORY_PADDING.copy()
    mask[0] = False  # pools to zeros
    layer = AttentionPooling(units, heads)
    layer.build(h.shape)
    randomize_layer(layer, seed=22)
    w, size = weights(layer), 12 // heads
    pooled, alphas = np.zeros((B, 12)), np.zeros((B, heads, S))
    for b, n in np.ndindex(B, heads):
        u = np.tanh(h[b] @ w["kernel"] + w["bias"])  # equation 5
        alphas[b, n] = softmax(u @ w["context"][:, n], mask[b])  # equation 6
        own = slice(n * size, (n + 1) * size)
        pooled[b, own] = alphas[b, n] @ h[b, :, own]  # equation 7
    output, ours = layer(h, mask=mask, return_attention_scores=True)
    assert_same(output, pooled)
    assert_same(ours, alphas)


# Vaswani et al., 2017


def sinusoid(position, dim):
    """Section 3.5."""
    row = np.zeros(dim)
    for channel in range(dim):
        angle = position / 10_000 ** ((channel - channel % 2) / dim)
        row[channel] = np.cos(angle) if channel % 2 else np.sin(angle)
    return row


@pytest.mark.parametrize("dim", [8, 7])
@pytest.mark.parametrize("scale_inputs", [False, True])
def test_sinusoids(dim, scale_inputs):
    x = normal(B, 40, dim, seed=23)
    expected = x * (math.sqrt(dim) if scale_inputs else 1.0)
    expected = expected + np.array([sinusoid(position, dim) for position in range(40)])
    assert_same(PositionalEncoding(scale_inputs=scale_inputs)(x), expected)


def test_sinusoids_behind_padding():
    """The first element that is not padding has position 0."""
    x = normal(B, T, 10, seed=24)
    ours = to_numpy(PositionalEncoding()(x, mask=LEFT_PADDED_QUERY))
    for b in range(B):
        own = LEFT_PADDED_QUERY[b]
        encoding = np.array([sinusoid(position, 10) for position in range(own.sum())])
        assert_same(ours[b, own], x[b, own] + encoding)


@pytest.mark.parametrize("dim", [8, 9])
def test_sinusoids_on_a_grid(dim):
    """Half of the channels, and the odd one, encode the row, the others the column."""
    x = normal(2, 5, 7, dim, seed=25)
    of_row = (dim + 1) // 2
    expected = x.astype("float64")
    for row, column in np.ndindex(5, 7):
        expected[:, row, column, :of_row] += sinusoid(row, of_row)
        expected[:, row, column, of_row:] += sinusoid(column, dim - of_row)
    assert_same(PositionalEncoding()(x), expected)


ACTIVATIONS = {
    "relu": lambda x: np.maximum(x, 0),
    "gelu": lambda x: x * 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2))),
    "swish": lambda x: x * sigmoid(x),
}


@pytest.mark.parametrize("use_bias", [False, True], ids=["no bias", "bias"])
@pytest.mark.parametrize("activation", ["relu", "gelu", "swiglu", "geglu", "reglu"])
def test_feed_forward(activation, use_bias):
    """Equation 2, and equation 6 of Shazeer, 2020 (https://arxiv.org/abs/2002.05202)."""
    x = normal(B, T, 6, seed=26)
    layer = FeedForward(10, activation, use_bias=use_bias)
    layer.build(x.shape)
    randomize_layer(layer, seed=27)
    w = weights(layer)

    def affine(x, name):
        return x @ w[f"{name}_kernel"] + (w[f"{name}_bias"] if use_bias else 0.0)

    gates = {"swiglu": "swish", "geglu": "gelu", "reglu": "relu"}
    if activation in gates:  # (Swish(x W) * x V) W_2, with GELU or ReLU for Swish
        function = ACTIVATIONS[gates[activation]]
        hidden = function(affine(x, "gate")) * affine(x, "input")
    else:
        hidden = ACTIVATIONS[activation](affine(x, "input"))
    assert_same(layer(x), affine(hidden, "output"))


@pytest.mark.parametrize(("hidden_dim", "warmup_steps"), [(512, 4000), (100, 7)])
def test_warmup(hidden_dim, warmup_steps):
    """Equation 3, relatively: the rates themselves are smaller than the tolerance."""
    schedule = InverseSqrtWarmup(warmup_steps, hidden_dim=hidden_dim)
    peak = InverseSqrtWarmup(warmup_steps, peak=3e-4)
    highest = hidden_dim**-0.5 * warmup_steps**-0.5
    for step in (1, 2, 5, warmup_steps - 1, warmup_steps, warmup_steps + 1, 100_000):
        rate = hidden_dim**-0.5 * min(step**-0.5, step * warmup_steps**-1.5)
        # Keras counts from 0, the paper from 1.
        assert_same(to_numpy(schedule(step - 1)) / rate, np.float64(1.0))
        assert_same(to_numpy(peak(step - 1)) / (3e-4 * rate / highest), np.float64(1.0))
