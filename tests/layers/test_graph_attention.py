"""Graph attention: cases for the contract, edges and adjacency, NaN for bad edges."""

import numpy as np
import pytest
from keras import ops

import keras_attention as ka
from keras_attention.ops import graph
from tests.backend import BACKEND, gradients, to_numpy, traced
from tests.contracts import Case


def edges(rng, shape, length):
    """Random edges, the last two padding."""
    pairs = rng.integers(0, length, size=shape).astype("int32")
    pairs[:, -2:] = -1
    return pairs


def adjacency(rng, shape, length):
    return rng.random(size=shape) < 0.5


def shift_edges(pairs, by):
    return np.where(pairs < 0, pairs, pairs + by)


def sparse(edge_features=False, **config):
    return Case(
        layer=ka.layers.GraphAttention,
        config={"head_dim": 4, "num_heads": 2, **config},
        inputs={
            "features": ("T", 6),
            "edges": (9, 2),
            **({"edge_features": (9, 3)} if edge_features else {}),
        },
        masks={"features_mask": "features"},
        values={"edges": edges},
        shifted={"edges": shift_edges},
        dropout={"dropout": 0.5},
        hears=("attention_source",),
    )


CASES = [
    sparse(variant="gat"),
    sparse(variant="gatv2", edge_features=True, concat=False),
    sparse(variant="gat", edge_features=True, self_loops=False),
    sparse(variant="gatv2", share_weights=True),
]


def test_dense_is_sparse():
    """An adjacency gives what its edges give, weights included, masked nodes and all."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(2, 7, 6)).astype("float32")
    sees = rng.random(size=(2, 7, 7)) < 0.4
    mask = np.array([[True] * 7, [True] * 5 + [False] * 2])
    features[1, 5:] = np.nan
    listed = [np.argwhere(seen)[:, ::-1] for seen in sees]  # [i, j]: i attends to j
    pairs = np.full((2, max(map(len, listed)), 2), -1)
    for padded, edges_of_graph in zip(pairs, listed, strict=True):
        padded[: len(edges_of_graph)] = edges_of_graph
    for config in ({"variant": "gat"}, {"variant": "gatv2"}, {"self_loops": False}):
        layer = sparse(**config).make()
        by_edge = layer(features, edges=pairs, features_mask=mask, return_attention_scores=True)
        by_node = layer(features, adjacency=sees, features_mask=mask, return_attention_scores=True)
        np.testing.assert_allclose(to_numpy(by_edge[0]), to_numpy(by_node[0]), atol=1e-5)
        dense, weights = to_numpy(by_node[1]), to_numpy(by_edge[1])
        for i in range(2):
            source, target = listed[i].T
            np.testing.assert_allclose(
                weights[i, :, : len(source)], dense[i][:, target, source], atol=1e-6
            )
            assert (weights[i, :, len(source) :] == 0).all()
        visible = (sees | (np.eye(7, dtype=bool) if layer.self_loops else False)) & (
            mask[:, :, None] & mask[:, None]
        )
        totals = dense.sum(-1)
        np.testing.assert_allclose(
            totals, np.broadcast_to(visible.any(-1)[:, None], totals.shape), atol=1e-5
        )


@pytest.mark.parametrize("case", CASES[1:3], ids=lambda case: case.name)
def test_features_of_padding_do_not_matter(case):
    """NaN included, forward and in gradients."""
    layer, data = case.make(), case.data()
    expected = to_numpy(layer(**data))
    dirty = np.where((data["edges"] < 0)[..., :1], np.nan, data["edge_features"])
    names = ("features", "edge_features")

    def loss(features, edge_features):
        return ops.sum(ops.sin(layer(features, data["edges"], edge_features=edge_features)))

    np.testing.assert_allclose(
        to_numpy(layer(**{**data, "edge_features": dirty})), expected, atol=1e-6
    )
    clean = gradients(loss, [data[name] for name in names], layer.trainable_variables)
    spoilt = gradients(loss, [data["features"], dirty.astype("float32")], layer.trainable_variables)
    for a, b in zip([*clean[1], *clean[2]], [*spoilt[1], *spoilt[2]], strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_isolated_nodes_are_zero():
    layer = sparse(self_loops=False).make()
    features = np.ones((1, 4, 6), "float32")
    output = to_numpy(layer(features, edges=np.array([[[0, 1], [2, 1]]])))
    np.testing.assert_array_equal(output[0, [0, 2, 3]], 0.0)
    assert np.abs(output[0, 1]).max() > 0


def test_bad_edges_are_loud_in_compiled_functions():
    """Where values cannot be looked at, a graph with a bad edge is NaN, the others are right."""
    layer = sparse().make()
    features = np.ones((2, 4, 6), "float32")
    good = np.array([[[0, 1], [2, 1]], [[0, 1], [2, 1]]])
    bad = np.array([[[0, 1], [2, 4]], [[0, 1], [2, 1]]])
    expected = to_numpy(layer(features, edges=good))
    run = traced(lambda x, e: layer(x, edges=e))
    output = to_numpy(run(ops.convert_to_tensor(features), ops.convert_to_tensor(bad)))
    assert np.isnan(output[0]).all()
    np.testing.assert_allclose(output[1], expected[1], atol=1e-6)


def test_one_big_graph_with_masks_as_sample_weight():
    """Node classification on one graph: B = 1, the training mask as `sample_weight`."""
    import keras

    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, size=(1, 40))
    features = (rng.normal(size=(1, 40, 6)) + 2 * labels[..., None]).astype("float32")
    pairs = rng.integers(0, 40, size=(1, 400, 2))
    same = labels[0][pairs[..., 0]] == labels[0][pairs[..., 1]]
    pairs = np.where(same[..., None], pairs, -1)
    inputs = {
        "features": keras.Input((None, 6), name="features"),
        "edges": keras.Input((None, 2), dtype="int32", name="edges"),
    }
    x = ka.layers.GraphAttention(8, 2)(inputs["features"], edges=inputs["edges"])
    model = keras.Model(inputs, keras.layers.Dense(2)(x))
    model.compile(
        keras.optimizers.Adam(0.05),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        weighted_metrics=["accuracy"],
    )
    data = {"features": features, "edges": pairs}
    train = (np.arange(40) < 20)[None].astype("float32")
    model.fit(data, labels, sample_weight=train, epochs=40, verbose=0)
    rest = model.evaluate(data, labels, sample_weight=1 - train, verbose=0, return_dict=True)
    assert rest["accuracy"] > 0.9


def test_one_graph_of_many_edges():
    """100 thousand edges: anything N x N would be 10 GB."""
    rng = np.random.default_rng(0)
    nodes = 50_000
    layer = ka.layers.GraphAttention(4, 2)
    output = layer(
        rng.normal(size=(1, nodes, 8)).astype("float32"),
        edges=rng.integers(0, nodes, size=(1, 100_000, 2)),
    )
    assert output.shape == (1, nodes, 8)
    assert np.isfinite(to_numpy(output)).all()


def numpy_gat(x, pairs, layer):
    """Equations 1 to 5 of GAT in float64, node after node: output, and weights by edge."""
    get = {w.path.split("/")[-1]: to_numpy(w).astype("float64") for w in layer.weights}
    heads, size = layer.num_heads, layer.head_dim
    h = (x.astype("float64") @ get["source_kernel"]).reshape(len(x), heads, size)
    output, weights = np.zeros_like(h), np.zeros((heads, len(pairs)))
    for i in range(len(x)):
        places = [
            e for e, (s, t) in enumerate(pairs) if t == i and not (layer.self_loops and s == i)
        ]
        sources = [pairs[e][0] for e in places] + [i] * layer.self_loops
        for n in range(heads if sources else 0):
            logits = h[sources, n] @ get["attention_source"][n]
            logits = logits + h[i, n] @ get["attention_target"][n]
            logits = np.where(logits > 0, logits, layer.negative_slope * logits)
            alpha = np.exp(logits - logits.max())
            alpha /= alpha.sum()
            output[i, n] = alpha @ h[sources, n]
            weights[n, places] = alpha[: len(places)]
            if layer.self_loops:
                loops = [e for e, pair in enumerate(pairs) if tuple(pair) == (i, i)]
                weights[n, loops] = alpha[-1]
    return output.reshape(len(x), -1) + get["bias"], weights


@pytest.mark.parametrize("self_loops", [True, False])
@pytest.mark.parametrize("hub", [1.0, 1e3, -1e3], ids="hub {}".format)
@pytest.mark.parametrize("slope", [0.2, 1.5, -0.5], ids="slope {}".format)
def test_logits_far_apart(self_loops, hub, slope):
    """A node whose logits are 1000 above (or below) all others, and nodes that do not see it."""
    rng = np.random.default_rng(0)
    layer = sparse(variant="gat", self_loops=self_loops, negative_slope=slope).make()
    x = rng.normal(size=(12, 6)).astype("float32")
    # Only feature 0 makes the logit of a source; the rest is small.
    kernel = 0.3 * rng.normal(size=(6, 8))
    kernel[0] = 0.25
    layer.source_kernel.assign(kernel)
    layer.attention_source.assign(np.ones((2, 4)))
    x[:, 0] = -1e3 * (hub != 1.0)
    x[3, 0] = hub
    pairs = rng.integers(0, 12, size=(40, 2))
    pairs[:3] = [[3, 1], [5, 2], [4, 4]]
    pairs = pairs[pairs[:, 1] != 7]  # which none looks at
    pairs = pairs[(pairs[:, 0] != 3) | (pairs[:, 1] < 6)]
    expected, expected_weights = numpy_gat(x, pairs, layer)
    results = [layer(x[None], pairs[None], return_attention_scores=True)]
    if BACKEND != "torch" or (self_loops and slope == 0.2):  # which takes 5 s to trace one
        run = traced(lambda x, e: layer(x, edges=e, return_attention_scores=True))
        results.append(run(ops.convert_to_tensor(x[None]), ops.convert_to_tensor(pairs[None])))
    for output, weights in results:
        seen = np.isin(np.arange(12), pairs[:, 1]) | self_loops
        scale = np.abs(expected).max()
        np.testing.assert_allclose(
            to_numpy(output)[0], np.where(seen[:, None], expected, 0), atol=1e-5 * scale
        )
        np.testing.assert_allclose(to_numpy(weights)[0], expected_weights, atol=2e-4)
    _, by_input, by_weight = gradients(
        lambda x: ops.mean(layer(x, pairs[None])), [x[None]], layer.trainable_variables
    )
    assert all(np.isfinite(g).all() for g in (*by_input, *by_weight))


def test_gradients_do_not_depend_on_the_bound(monkeypatch):
    """The number that is subtracted from the logits cancels, in gradients too."""
    layer = sparse(variant="gat", edge_features=True).make()
    data = CASES[2].data()
    names = ("features", "edge_features")

    def loss(features, edge_features):
        return ops.sum(ops.sin(layer(features, data["edges"], edge_features=edge_features)))

    arrays = [data[name] for name in names]
    bounded = gradients(loss, arrays, layer.trainable_variables)
    monkeypatch.setattr(graph, "_REACH", -1.0)
    exact = gradients(loss, arrays, layer.trainable_variables)
    for a, b in zip([*bounded[1], *bounded[2]], [*exact[1], *exact[2]], strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_order_of_edges_does_not_matter(case):
    """Sorted by target or not; the weights come back in the order of the edges."""
    layer, data = case.make(), case.data()
    order = np.argsort(data["edges"][..., 1], axis=1)[..., None]
    in_order = {k: np.take_along_axis(data[k], order, 1) for k in data if k.startswith("edge")}
    given = layer(**data, return_attention_scores=True)
    sorted_by_target = layer(**{**data, **in_order}, return_attention_scores=True)
    np.testing.assert_allclose(to_numpy(sorted_by_target[0]), to_numpy(given[0]), atol=1e-6)
    weights = np.take_along_axis(to_numpy(given[1]), order[:, None, :, 0], 2)
    np.testing.assert_allclose(to_numpy(sorted_by_target[1]), weights, atol=1e-6)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_no_edges_at_all(case):
    """E = 0: a node sees itself, or nothing."""
    layer, data = case.make(), case.data()
    empty = {k: x[:, :0] if k.startswith("edge") else x for k, x in data.items()}
    padded = {**data, "edges": np.full_like(data["edges"], -1)}
    output, weights = layer(**empty, return_attention_scores=True)
    assert weights.shape == (3, 2, 0)
    np.testing.assert_allclose(to_numpy(output), to_numpy(layer(**padded)), atol=1e-6)
    assert (np.abs(to_numpy(output)).max() > 0) == layer.self_loops


def test_input_dropout_drops_features():
    """The rest is scaled; without `training` nothing is dropped."""
    layer = ka.layers.GraphAttention(
        5, variant="gat", input_dropout=0.5, use_bias=False, kernel_initializer="identity", seed=0
    )
    features = np.random.default_rng(0).uniform(1, 2, (1, 400, 5)).astype("float32")
    edges = np.full((1, 1, 2), -1, "int32")  # none: a node's output is its own projection
    np.testing.assert_allclose(to_numpy(layer(features, edges=edges)), features, rtol=1e-6)
    output = to_numpy(layer(features, edges=edges, training=True))
    kept = output != 0
    np.testing.assert_allclose(output[kept], 2 * features[kept], rtol=1e-4)
    assert 0.45 < kept.mean() < 0.55


@pytest.mark.parametrize("variant", ["gat", "gatv2"])
def test_kernels_are_regularized_and_biases_are_not(variant):
    layer = ka.layers.GraphAttention(3, 2, variant=variant, kernel_regularizer="l2")
    layer.build((None, None, 4), edges_shape=(None, None, 2))
    kernels = [v for v in layer.trainable_variables if not v.name.endswith("bias")]
    expected = sum(0.01 * np.square(to_numpy(v)).sum() for v in kernels)
    np.testing.assert_allclose(to_numpy(sum(layer.losses)), expected, rtol=1e-5)
    assert len(layer.losses) == len(kernels) == 3
