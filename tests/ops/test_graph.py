"""Parts of graph attention: sums over edges and the two ways to keep a softmax in range."""

import numpy as np
import pytest
from keras import ops

from keras_attention import kernels
from keras_attention.ops import graph
from tests.backend import gradients, to_numpy, traced


@pytest.mark.parametrize("num_edges", [0, 1, 30, 9000], ids="E={}".format)
def test_weighted_segment_sum(num_edges):
    """And its gradients; 9000 edges are more than are taken at once."""
    rng = np.random.default_rng(num_edges)
    nodes, heads, size = 20, 4, 16
    source, target = rng.integers(0, nodes, size=(2, num_edges)).astype(kernels.INDEX_DTYPE)
    values = rng.normal(size=(nodes, heads, size)).astype("float32")
    weights = rng.normal(size=(num_edges, heads)).astype("float32")
    cotangent = rng.normal(size=values.shape).astype("float32")
    by_value, by_weight = np.zeros(values.shape), []
    expected = np.zeros(values.shape)
    for s, t, w in zip(source, target, weights, strict=True):
        expected[t] += w[:, None] * values[s]
        by_value[s] += w[:, None] * cotangent[t]
        by_weight.append((values[s] * cotangent[t]).sum(-1))
    source, target = ops.convert_to_tensor(source), ops.convert_to_tensor(target)

    def sum_edges(values, weights):
        return kernels.weighted_segment_sum(values, weights, source, target, nodes)

    sums = sum_edges(ops.convert_to_tensor(values), ops.convert_to_tensor(weights))
    np.testing.assert_allclose(to_numpy(sums), expected, rtol=1e-4, atol=1e-3)
    _, by_array, _ = gradients(
        lambda *xs: ops.sum(ops.multiply(sum_edges(*xs), cotangent)), [values, weights]
    )
    np.testing.assert_allclose(by_array[0], by_value, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(by_array[1], np.reshape(by_weight, weights.shape), atol=1e-4)


@pytest.mark.parametrize("scale", [1.0, 1e3, np.nan], ids=["near", "far", "nan"])
def test_the_bound_is_used_where_it_is_near(scale):
    """Elsewhere the highest logit itself is, for every node; NaN stays with its neighbours."""
    rng = np.random.default_rng(0)
    edges, _ = graph.flatten_edges(ops.convert_to_tensor([[[0, 1], [2, 1], [1, 0], [2, 3]]]), 4)
    source, at_target = rng.normal(size=(2, 4, 2)).astype("float32")
    source[2] = scale
    x = source[[0, 2, 1, 2]] + at_target[[1, 1, 0, 3]]

    def run(source, at_target, logits):
        low, high = ops.amin(source, axis=0), ops.amax(source, axis=0)
        return graph.highest_logit_or_bound(logits, None, ops.relu, at_target, low, high, edges)

    arrays = [ops.convert_to_tensor(a) for a in (source, at_target, np.maximum(x, 0))]
    top = np.stack([np.maximum(x[2], 0), np.maximum(x[0], x[1]).clip(0), [-5e29] * 2, x[3].clip(0)])
    bound = np.maximum(source.max(0) + at_target, 0)
    for function in (run, traced(run)):
        highest = to_numpy(function(*arrays))
        if np.isnan(scale):  # backends differ in the maximum of NaN and a number
            assert np.isfinite(highest[[0, 2]]).all()
            continue
        np.testing.assert_allclose(highest, bound if scale == 1.0 else top, rtol=1e-5, atol=1e-6)
