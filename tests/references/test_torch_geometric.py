"""Graph attention against `GATConv` and `GATv2Conv` of PyTorch Geometric, same weights."""

import numpy as np
import pytest
import torch
from torch_geometric.nn import GATConv, GATv2Conv

from keras_attention.layers import GraphAttention
from tests.references.compare import assert_same, assign, gradients, normal, randomize, to_numpy

NODES, WIDTH, EDGE_WIDTH, HEADS, SIZE = 9, 7, 5, 3, 4

VARIANTS = pytest.mark.parametrize(
    ("variant", "share_weights"),
    [("gat", False), ("gatv2", False), ("gatv2", True)],
    ids=["gat", "gatv2", "gatv2 shared"],
)
CONCAT = pytest.mark.parametrize("concat", [True, False], ids=["concat", "mean"])
EDGE_FEATURES = pytest.mark.parametrize("edge_features", [False, True], ids=["plain", "edges"])
SELF_LOOPS = pytest.mark.parametrize("self_loops", [False, True], ids=["no loops", "loops"])


def graph(seed, nodes=NODES, *, simple=False):
    """`(E, 2)` edges (source, target) in random order; every node has an incoming one.

    Without one our output is zero, and PyTorch Geometric's is the bias. Unless `simple`, two
    edges are loops and one edge is there twice.
    """
    random = np.random.default_rng(seed)
    edges = [(int((i + random.integers(1, nodes)) % nodes), i) for i in range(nodes)]
    edges += [
        (i, j) for i in range(nodes) for j in range(nodes) if i != j and random.random() < 0.2
    ]
    edges = sorted(set(edges))
    if not simple:
        edges += [(1, 1), (4, 4), edges[3]]
    return random.permutation(np.array(edges, "int32"))


def reference_and_layer(
    variant, concat=True, self_loops=True, share_weights=False, edge_features=False, seed=0
):
    arguments = {
        "heads": HEADS,
        "concat": concat,
        "add_self_loops": self_loops,
        "edge_dim": EDGE_WIDTH if edge_features else None,
    }
    if variant == "gat":
        reference = GATConv(WIDTH, SIZE, **arguments)
    else:
        reference = GATv2Conv(WIDTH, SIZE, share_weights=share_weights, **arguments)
    randomize(reference, seed)
    layer = GraphAttention(
        SIZE,
        HEADS,
        variant,
        concat=concat,
        self_loops=self_loops,
        share_weights=share_weights,
    )
    edge_shape = (1, 1, EDGE_WIDTH) if edge_features else None
    layer.build((1, NODES, WIDTH), (1, 1, 2), edge_features_shape=edge_shape)
    if variant == "gat":
        values = {
            "source_kernel": reference.lin.weight.T,
            "attention_source": reference.att_src[0],
            "attention_target": reference.att_dst[0],
        }
    else:
        values = {
            "source_kernel": reference.lin_l.weight.T,
            "source_bias": reference.lin_l.bias,
            "attention_source": reference.att[0],
        }
        if not share_weights:
            values["target_kernel"] = reference.lin_r.weight.T
            values["target_bias"] = reference.lin_r.bias
    if edge_features:
        values["edge_kernel"] = reference.lin_edge.weight.T
        if variant == "gat":
            values["attention_edge"] = reference.att_edge[0]
    assign(layer, {**values, "bias": reference.bias})
    return reference, layer


def theirs(reference, features, edges, edge_features=None):
    """Output `(N, F)` and weights `(heads, E)` in the order of `edges`."""
    output, (index, weights) = reference(
        torch.as_tensor(features),
        torch.from_numpy(edges.T.astype("int64")),
        None if edge_features is None else torch.from_numpy(edge_features),
        return_attention_weights=True,
    )
    weights = to_numpy(weights)
    if reference.add_self_loops:  # it took out the loops and appended one for each node
        loops = edges[:, 0] == edges[:, 1]
        kept = int((~loops).sum())
        assert (index[0, kept:] == torch.arange(len(features))).all()
        in_order = np.empty((len(edges), HEADS), "float32")
        in_order[~loops] = weights[:kept]
        in_order[loops] = weights[kept + edges[loops, 1]]
        weights = in_order
    return output, weights.T


@VARIANTS
@CONCAT
@EDGE_FEATURES
@SELF_LOOPS
def test_one_graph(variant, share_weights, concat, edge_features, self_loops):
    reference, layer = reference_and_layer(
        variant, concat, self_loops, share_weights, edge_features, seed=1
    )
    edges = graph(seed=2)
    features = normal(NODES, WIDTH, seed=3)
    of_edges = normal(len(edges), EDGE_WIDTH, seed=4) if edge_features else None
    given = {"edge_features": of_edges[None]} if edge_features else {}

    x = torch.from_numpy(features).requires_grad_()
    expected, expected_weights = theirs(reference, x, edges, of_edges)
    output, weights = layer(features[None], edges[None], **given, return_attention_scores=True)
    assert_same(output[0], expected)
    assert_same(weights[0], expected_weights)

    cotangent = normal(*expected.shape, seed=5, scale=0.2)
    (expected * torch.from_numpy(cotangent)).sum().backward()
    (gradient,) = gradients(
        lambda x: layer(x[None], edges[None], **given), [features], cotangent[None]
    )
    assert_same(gradient, x.grad)


@VARIANTS
@EDGE_FEATURES
@SELF_LOOPS
def test_batch_of_two_graphs(variant, share_weights, edge_features, self_loops):
    """The second graph has fewer nodes and fewer edges, in between which there is padding."""
    reference, layer = reference_and_layer(
        variant,
        self_loops=self_loops,
        share_weights=share_weights,
        edge_features=edge_features,
        seed=6,
    )
    graphs = [graph(seed=7), graph(seed=8, nodes=6)]
    assert len(graphs[1]) < len(graphs[0])
    # The padding holds numbers, as a buffer that is used again would.
    features = normal(2, NODES, WIDTH, seed=9)
    of_edges = normal(2, len(graphs[0]), EDGE_WIDTH, seed=10)
    edges = np.full((2, len(graphs[0]), 2), -1, "int32")
    edges[0] = graphs[0]
    places = np.random.default_rng(11).permutation(len(graphs[0]))[: len(graphs[1])]
    places = [np.arange(len(graphs[0])), np.sort(places)]
    edges[1, places[1]] = graphs[1]
    nodes = np.arange(NODES) < np.array([[NODES], [6]])

    output, weights = layer(
        features,
        edges,
        features_mask=nodes,
        return_attention_scores=True,
        **({"edge_features": of_edges} if edge_features else {}),
    )
    output, weights = to_numpy(output), to_numpy(weights)
    for i, size in enumerate((NODES, 6)):
        given = of_edges[i, places[i]] if edge_features else None
        expected, expected_weights = theirs(reference, features[i, :size], graphs[i], given)
        assert_same(output[i, :size], expected)
        assert_same(weights[i][:, places[i]], expected_weights)
    np.testing.assert_array_equal(output[1, 6:], 0.0)
    np.testing.assert_array_equal(weights[1][:, (edges[1] == -1).all(-1)], 0.0)


@VARIANTS
@CONCAT
@SELF_LOOPS
def test_dense_adjacency(variant, share_weights, concat, self_loops):
    """The same graph as edges and as a matrix; ours against theirs and against each other."""
    reference, layer = reference_and_layer(variant, concat, self_loops, share_weights, seed=12)
    edges = graph(seed=13, simple=True)
    features = normal(NODES, WIDTH, seed=14)
    adjacency = np.zeros((1, NODES, NODES), "float32")
    adjacency[0, edges[:, 1], edges[:, 0]] = 1.0  # row: the target, which attends

    output, weights = layer(features[None], adjacency=adjacency, return_attention_scores=True)
    sparse, sparse_weights = layer(features[None], edges[None], return_attention_scores=True)
    expected, expected_weights = theirs(reference, features, edges)
    of_edges = to_numpy(weights)[0][:, edges[:, 1], edges[:, 0]]
    assert_same(output[0], expected)
    assert_same(of_edges, expected_weights)
    assert_same(output, sparse)
    assert_same(of_edges, sparse_weights[0])
