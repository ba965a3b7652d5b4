"""Linear attention against the paper's quadratic equation, in NumPy, and its state."""

from functools import partial

import numpy as np
import pytest
from keras import ops

from keras_attention.ops import linear
from tests.backend import BACKEND, compiled, gradients, to_numpy

B, N, K, T, H = 2, 4, 2, 150, 8  # two whole chunks of 64 and a rest
MAPS = {  # phi and its derivative
    "elu": (lambda x: np.where(x > 0, x + 1, np.exp(np.minimum(x, 0))), lambda x: np.exp(x)),
    "relu": (lambda x: np.maximum(x, 0), lambda x: 0 * x),
    "softplus": (lambda x: np.log1p(np.exp(x)), lambda x: 1 / (1 + np.exp(-x))),
}


def quadratic(query, key, value, sees, feature_map, upstream, groups=N // K):
    """Weights, output and gradients of `sum(output * upstream)` (equation 4), in float64."""
    phi, slope_below = MAPS[feature_map]
    slope = (
        slope_below if feature_map == "softplus" else lambda x: np.where(x > 0, 1, slope_below(x))
    )
    query, key, value = (x.astype("float64") for x in (query, key, value))
    keys, values = (np.repeat(x, groups, axis=1) for x in (key, value))
    similarity = np.einsum("bnth,bnsh->bnts", phi(query), phi(keys)) * sees
    total = similarity.sum(-1, keepdims=True)
    safe = np.where(total > 0, total, 1)
    weights = similarity / safe
    output = weights @ values
    d_weights = np.einsum("bnth,bnsh->bnts", upstream, values)
    d_similarity = sees * (d_weights - (d_weights * weights).sum(-1, keepdims=True)) / safe
    d_query = d_similarity @ phi(keys) * slope(query)
    d_keys = np.swapaxes(d_similarity, 2, 3) @ phi(query) * slope(keys)
    d_values = np.swapaxes(weights, 2, 3) @ upstream
    by_kv_head = [x.reshape(len(x), -1, groups, *x.shape[2:]).sum(2) for x in (d_keys, d_values)]
    return weights, output, [d_query, *by_kv_head]


def inputs():
    rng = np.random.default_rng(0)
    query, upstream = rng.normal(size=(2, B, N, T, H)).astype("float32")
    key, value = rng.normal(size=(2, B, K, T, H)).astype("float32")
    return query, key, value, upstream


@pytest.mark.parametrize(
    ("feature_map", "causal", "lengths"),
    [
        ("elu", False, None),
        ("elu", True, None),
        ("elu", True, (100, 0)),  # one sequence sees nothing
        ("softplus", False, (100, 0)),
        ("relu", True, None),
    ],
)
def test_it_is_its_quadratic_form(feature_map, causal, lengths):
    """Outputs, gradients and the weights that are shown, with grouped heads."""
    query, key, value, upstream = inputs()
    sees = np.tril(np.ones((T, T), bool)) if causal else np.ones((T, T), bool)
    mask = None if lengths is None else np.arange(T) < np.array(lengths)[:, None]
    sees = np.broadcast_to(sees if mask is None else sees & mask[:, None], (B, T, T))[:, None]
    expected_weights, expected, expected_gradients = quadratic(
        query, key, value, sees, feature_map, upstream
    )
    present = None if mask is None else ops.convert_to_tensor(mask)

    def attend(*tensors):
        return linear.attention(*tensors, feature_map=feature_map, causal=causal, mask=present)

    tensors = [ops.convert_to_tensor(x) for x in (query, key, value)]
    output = to_numpy(compiled(attend, ())(*tensors))
    np.testing.assert_allclose(output, expected, atol=5e-6)
    _, by_array, _ = gradients(
        lambda *xs: ops.sum(ops.multiply(attend(*xs), upstream)), [query, key, value]
    )
    for gradient, right in zip(by_array, expected_gradients, strict=True):
        np.testing.assert_allclose(gradient, right, atol=2e-5)
    weights = linear.weights(
        tensors[0], tensors[1], feature_map=feature_map, mask=ops.convert_to_tensor(sees)
    )
    np.testing.assert_allclose(to_numpy(weights), expected_weights, atol=1e-6)


def test_a_state_is_what_came_before():
    """Cut anywhere, in three, the last piece of one element; masked keys add nothing."""
    query, key, value, _ = map(ops.convert_to_tensor, inputs())
    mask = ops.convert_to_tensor(np.arange(T) % 7 > 0) & ops.ones((B, 1), "bool")
    settings = {"feature_map": "elu"}
    expected = linear.attention(query, key, value, causal=True, mask=mask, **settings)
    state, pieces = None, []
    for start, stop in ((0, 80), (80, T - 1), (T - 1, T)):
        q, k, v = (x[:, :, start:stop] for x in (query, key, value))
        part = mask[:, start:stop]
        pieces.append(linear.attention(q, k, v, causal=True, mask=part, state=state, **settings))
        added = linear.sum_up(k, v, mask=part, **settings)
        state = added if state is None else state + added
    output = np.concatenate([to_numpy(x) for x in pieces], axis=2)
    np.testing.assert_allclose(output, to_numpy(expected), atol=1e-5)
    assert state.shape == (B, K, H, H + 1)


def test_features_keep_their_digits():
    """Of very negative numbers elu(x) + 1 has none left in float32."""
    x = np.array([-40.0, -17.0, -1e-3, 0.0, 3.0], "float32")
    features = to_numpy(linear.FEATURE_MAPS["elu"](ops.convert_to_tensor(x)))
    np.testing.assert_allclose(features, [np.exp(-40), np.exp(-17), np.exp(-1e-3), 1, 4], rtol=1e-5)


def test_one_head():
    """Whose chunks are longer on PyTorch."""
    query, key, value, upstream = (x[:1, :1] for x in inputs())
    sees = np.tril(np.ones((T, T), bool))
    _, expected, expected_gradients = quadratic(query, key, value, sees, "elu", upstream, groups=1)
    attend = partial(linear.attention, feature_map="elu", causal=True)
    output = attend(*map(ops.convert_to_tensor, (query, key, value)))
    np.testing.assert_allclose(to_numpy(output), expected, atol=5e-6)
    _, by_array, _ = gradients(
        lambda *xs: ops.sum(ops.multiply(attend(*xs), upstream)), [query, key, value]
    )
    for gradient, right in zip(by_array, expected_gradients, strict=True):
        np.testing.assert_allclose(gradient, right, atol=2e-5)


if BACKEND == "torch":  # whose gradient is written by hand

    @pytest.mark.parametrize("causal", [False, True])
    def test_second_derivatives(causal):
        """Those of the quadratic form, in plain PyTorch."""
        import torch

        def quadratic(query, key, value):
            query, key = (torch.nn.functional.elu(x) + 1 for x in (query, key))
            similarity = query @ key.mT
            similarity = similarity.tril() if causal else similarity
            return similarity / similarity.sum(-1, keepdim=True) @ value

        def differentiate_twice(function):
            tensors = [torch.tensor(x[:, :2], requires_grad=True) for x in inputs()[:3]]
            first = torch.autograd.grad(function(*tensors).sin().sum(), tensors, create_graph=True)
            return torch.autograd.grad(sum(x.square().sum() for x in first), tensors)

        ours = partial(linear.attention, feature_map="elu", causal=causal)
        for a, b in zip(*map(differentiate_twice, (ours, quadratic)), strict=True):
            torch.testing.assert_close(a, b, atol=2e-5, rtol=1e-4)


if BACKEND == "jax":  # which alone tells the memory of a compiled function

    def test_it_needs_linear_memory():
        import jax

        def temporary(length):
            shape = jax.ShapeDtypeStruct((1, 2, length, 16), "float32")

            def loss(*tensors):
                return ops.sum(linear.attention(*tensors, feature_map="elu", causal=True) ** 2)

            function = jax.jit(jax.grad(loss, argnums=(0, 1, 2)))
            return function.lower(shape, shape, shape).compile().memory_analysis()

        assert temporary(4096).temp_size_in_bytes < 2.1 * temporary(2048).temp_size_in_bytes
