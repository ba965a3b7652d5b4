"""Nudges of a recording: what is added to the weights acts as if the weights were other ones.

One model has every kind of attention side by side, so that little is compiled.
"""

import functools

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_attention as ka
from keras_attention import kernels, scope
from keras_attention.explain.maps import foreign
from tests.backend import to_numpy

B, T, D, N, KEY = 2, 5, 4, 2, 2
RNG = np.random.default_rng(0)
X = RNG.normal(size=(B, T, D)).astype("float32")
ALL = np.ones((B, T), bool)
ONE = np.arange(T) == np.array([[KEY], [KEY]])
# Every node attends to the two after it, and in `FEW` to the first of these alone.
EDGES = np.array([[[(t + 1 + i) % T, t] for t in range(T) for i in range(2)]] * B, "int32")
FEW = np.where((np.arange(2 * T) % 2 == 0)[:, None], EDGES, -1)


def adjacency(edges):
    matrix = np.zeros((B, T, T), "float32")
    for graph, pairs in enumerate(edges):
        for source, target in pairs[pairs[:, 0] >= 0]:
            matrix[graph, target, source] = 1
    return matrix


def _layers(x, seen, edges, dense):
    """By name: outputs `(B, ..., D')` of layers that attend from x to x, where it is seen."""
    own, to = ka.layers, {"value_mask": seen}
    before = seen[:, None, None]
    everything = ops.logical_or(seen, True)
    bahdanau, luong = own.BahdanauAttention(3, name="a"), own.LuongAttention("general", name="a")
    return {
        "self": own.MultiHeadSelfAttention(N)(x, attention_mask=before),
        "grouped": own.MultiHeadSelfAttention(N, num_kv_heads=1, position="rotary", causal=False)(
            x, attention_mask=before
        ),
        "shaw": own.MultiHeadSelfAttention(N, position="shaw", dropout=0.5)(
            x, attention_mask=before
        ),
        "cross": own.MultiHeadCrossAttention(N)(x, x, **to),
        "bahdanau": own.BahdanauAttention(3)(x, x, **to),
        "luong": own.LuongAttention("dot")(x, x, **to),
        "pool": own.AttentionPooling(num_heads=N)(x, mask=seen),
        "decoder_bahdanau": own.RecurrentDecoder(D, attention=bahdanau)(x, x, **to),
        "decoder_luong": own.RecurrentDecoder(D, cell="lstm", attention=luong)(x, x, **to),
        "gat": own.GraphAttention(3, N, variant="gat", self_loops=False)(x, edges=edges),
        "gatv2": own.GraphAttention(3, N, self_loops=False)(x, edges=edges),
        "dense": own.GraphAttention(3, N, self_loops=False)(x, adjacency=dense),
        "of_keras": layers.MultiHeadAttention(N, D, dropout=0.5)(x, x, **to),
        "of_keras_grouped": layers.GroupQueryAttention(D, 4, 2)(x, x, **to),
        "of_keras_dot": layers.Attention()([x, x], mask=[everything, seen]),
        "of_keras_additive": layers.AdditiveAttention()([x, x], mask=[everything, seen]),
        "segments": own.SegmentPooling(2, num_heads=N)(x),
    }


@functools.cache
def everything():
    """The model."""
    keras.utils.set_random_seed(0)
    inputs = {
        "x": keras.Input((None, D), name="x"),
        "seen": keras.Input((None,), dtype="bool", name="seen"),
        "edges": keras.Input((None, 2), dtype="int32", name="edges"),
        "dense": keras.Input((None, None), name="dense"),
    }
    model = keras.Model(inputs, _layers(*inputs.values()))
    rng = np.random.default_rng(1)
    for variable in model.trainable_variables:
        variable.assign(rng.normal(size=variable.shape))
    return model


def given(seen=ALL, edges=EDGES):
    return {"x": X, "seen": seen, "edges": edges, "dense": adjacency(edges)}


@functools.cache
def recorder():
    """The model as a function of nudges and inputs; gives weights and outputs."""
    model = everything()

    def run(nudges, inputs):
        recording = scope.Recording(nudges=nudges)
        with scope.recording(recording), foreign.recorded():
            outputs = model(inputs, training=False)
        return dict(recording.maps), outputs

    return kernels.compile_inference(run, model.variables)


def recorded(nudges, inputs):
    nudges, inputs = keras.tree.map_structure(ops.convert_to_tensor, (nudges, inputs))
    maps, outputs = recorder()(nudges, inputs)
    return {p: to_numpy(x) for p, x in maps.items()}, {n: to_numpy(x) for n, x in outputs.items()}


@functools.cache
def as_it_is():
    """The path of each output's weights; weights; outputs."""
    weights, outputs = recorded({}, given())
    layer_of = {n: x._keras_history.operation for n, x in everything().output.items()}
    paths = {
        name: next(path for path in weights if f"{path}/".startswith(f"{layer.path}/"))
        for name, layer in layer_of.items()
    }
    assert len(set(paths.values())) == len(weights) == len(outputs)
    return paths, weights, outputs


def one_hot(name, shape):
    """Weights with all on one key, of graphs on the edges that are `FEW`."""
    if name in ("gat", "gatv2"):
        return np.broadcast_to(np.arange(2 * T) % 2 == 0, shape)
    if name == "dense":
        return np.broadcast_to(adjacency(FEW)[:, None], shape)
    return np.broadcast_to(np.arange(T) == KEY, shape)


def test_weights_that_are_nudged_to_one_key_see_that_key_alone():
    """As under a mask that hides the others: the nudge acts where weights do."""
    paths, weights, _ = as_it_is()
    nudges = {
        path: one_hot(name, weights[path].shape) - weights[path] for name, path in paths.items()
    }
    maps, outputs = recorded(nudges, given())
    _, expected = recorded({}, given(ONE, FEW))
    for name in paths:
        one, other = outputs[name], expected[name]
        assert np.abs(other).max() > 0.1
        if name.startswith("decoder"):  # whose next weights depend on what it saw
            one, other = one[:, 0], other[:, 0]
        if name != "segments":
            np.testing.assert_allclose(one, other, atol=2e-5, err_msg=name)
    for path in weights:
        if "decoder" not in path:
            np.testing.assert_allclose(maps[path], weights[path], atol=1e-6, err_msg=path)
    heads = X.reshape(B, T, N, D // N)
    used = one_hot("segments", weights[paths["segments"]].shape).astype("float32")
    segments = np.einsum("bnst,btnh->bsnh", used, heads).reshape(B, -1, D)
    np.testing.assert_allclose(outputs["segments"], segments, atol=1e-5)


def test_gradients_are_those_of_finite_differences():
    """In a random direction at each layer, on every backend and through its loops."""
    model, (paths, weights, outputs) = everything(), as_it_is()
    rng = np.random.default_rng(2)
    factors = {name: rng.normal(size=x.shape).astype("float32") for name, x in outputs.items()}
    directions = {path: rng.normal(size=x.shape).astype("float32") for path, x in weights.items()}

    def loss(nudges, inputs):
        with scope.recording(scope.Recording(nudges=nudges)), foreign.recorded():
            nudged = model(inputs, training=False)
        return sum(
            ops.sum(nudged[name] * ops.convert_to_tensor(factor))
            for name, factor in factors.items()
        )

    gradients = kernels.compile_gradient(loss, model.variables)(
        {path: ops.convert_to_tensor(np.zeros_like(x)) for path, x in weights.items()},
        keras.tree.map_structure(ops.convert_to_tensor, given()),
    )
    size = 3e-3
    (_, more), (_, less) = (
        recorded({path: np.float32(sign * size) * x for path, x in directions.items()}, given())
        for sign in (1, -1)
    )
    for name, path in paths.items():
        change = np.sum((more[name] - less[name]) * factors[name]) / (2 * size)
        slope = np.sum(to_numpy(gradients[path]) * directions[path])
        assert abs(change) > 1e-2, name
        assert slope == pytest.approx(change, rel=5e-3, abs=5e-3), name
