import keras
import numpy as np
import pytest

import keras_attention as ka
from keras_attention.explain.attribution import methods
from keras_attention.explain.attribution.neighborhoods import neighborhoods

pytestmark = pytest.mark.runs_on("torch")

NODES, EDGES = 30, 50


@pytest.fixture(scope="module")
def graph():
    rng = np.random.default_rng(0)
    edges = rng.integers(0, NODES - 1, (1, EDGES, 2)).astype("int32")  # the last node has none
    edges = edges[:, edges[0, :, 0] != edges[0, :, 1]]
    edges = np.concatenate([edges, np.full((1, 3, 2), -1, "int32")], axis=1)
    return {"features": rng.normal(size=(1, NODES, 5)).astype("float32"), "edges": edges}


def gat(hops):
    features = keras.Input((None, 5), name="features")
    edges = keras.Input((None, 2), dtype="int32", name="edges")
    x = features
    for _ in range(hops):
        x = ka.layers.GraphAttention(4, 2)(x, edges=edges)
    return keras.Model([features, edges], keras.layers.Dense(3)(x))


@pytest.mark.parametrize("hops", [1, 2, 3])
def test_a_node_gives_the_same_in_its_neighbourhood(graph, hops):
    keras.utils.set_random_seed(0)
    model = gat(hops)
    nodes = np.array([3, 0, NODES - 1, 11])
    subgraphs = neighborhoods(graph, nodes, hops)
    whole = keras.ops.convert_to_numpy(model(graph))[0, nodes]
    small = keras.ops.convert_to_numpy(model(subgraphs.inputs))[np.arange(4), subgraphs.position]
    np.testing.assert_allclose(small, whole, atol=1e-5)

    # What is within reach: those that the output depends on.
    for row, node in enumerate(nodes):
        own = subgraphs.nodes[row][subgraphs.nodes[row] >= 0]
        assert own[0] == node
        assert len(set(own)) == len(own)
        np.testing.assert_array_equal(
            subgraphs.inputs["features"][row, : len(own)], graph["features"][0, own]
        )
        outside = np.setdiff1d(np.arange(NODES), own)
        other = graph["features"].copy()
        other[0, outside] = 7.0
        changed = keras.ops.convert_to_numpy(model({**graph, "features": other}))[0, node]
        np.testing.assert_allclose(changed, whole[row], atol=1e-5)


def test_explanations_are_the_same_too(graph):
    keras.utils.set_random_seed(0)
    model, nodes = gat(2), np.array([3, 0, 11])
    subgraphs = neighborhoods(graph, nodes, 2)
    repeated = {name: np.repeat(array, 3, axis=0) for name, array in graph.items()}
    for method in (methods.relevance, methods.rollout):
        whole = method(model, repeated, target=1, position=nodes).scores
        small = method(model, subgraphs.inputs, target=1, position=subgraphs.position)
        assert (small.elements.present == (subgraphs.nodes >= 0)).all()
        for row, own in enumerate(subgraphs.nodes):
            here = own >= 0
            np.testing.assert_allclose(small.scores[row, here], whole[row, own[here]], atol=1e-5)
            assert np.abs(np.delete(whole[row], own[here])).max() < 1e-6


@pytest.mark.parametrize(
    ("changes", "nodes", "match"),
    [
        ({"edges": np.zeros((2, 4, 2), int)}, [0], "of one graph"),
        ({}, [30], "indices below 30"),
        ({}, [0.5], "indices below 30"),
    ],
)
def test_what_does_not_do(graph, changes, nodes, match):
    with pytest.raises(ValueError, match=match):
        neighborhoods({**graph, **changes}, nodes, 2)
