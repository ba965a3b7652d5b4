"""Graphs are read from arrays and from tables, and what is odd about them is said."""

import numpy as np
import pandas
import pytest
from scipy import sparse

from zoo.readers.findings import Findings
from zoo.readers.graphs import read_graph

pytestmark = pytest.mark.runs_on("torch")

FEATURES = np.eye(5, 3, dtype="float32")
EDGES = [[0, 1], [1, 0], [1, 2], [2, 2], [1, 2]]
BOTH = [[1, 0], [0, 1], [2, 1], [1, 2]]
ARRAYS = {"features": FEATURES, "edges": np.array(EDGES), "labels": np.array([0, 1, -1, 1, 0])}
NODES = pandas.DataFrame(
    {
        "id": ["a", "b", "c", "d", "e"],
        "age": ["3", "", "5", "4", "4"],
        "kind": ["x", "y", "x", "x", "y"],
        "label": ["cat", "dog", "", "dog", "cat"],
        "split": ["train", "train", "", "val", "test"],
    }
)
LINKS = pandas.DataFrame({"source": ["a", "b", "b", "c", "b"], "target": ["b", "a", "c", "c", "c"]})


def read(*data, **settings):
    findings = Findings()
    return read_graph(*data, findings=findings, **settings), findings


def as_pairs(edges):
    return sorted(map(tuple, np.asarray(edges).tolist()))


def test_arrays_of_a_file(tmp_path):
    mask = np.array([True, True, False, False, False])
    np.savez(tmp_path / "graph.npz", **ARRAYS, train_mask=mask, test=np.array([4]))
    graph, findings = read(tmp_path / "graph.npz")
    np.testing.assert_array_equal(graph.features, FEATURES)
    assert as_pairs(graph.edges) == as_pairs(BOTH)
    assert graph.labels.tolist() == ["0", "1", "", "1", "0"]
    assert {name: nodes.tolist() for name, nodes in graph.parts.items()} == {
        "train": [0, 1],
        "test": [4],
    }
    assert findings.facts == [
        "Nodes: 5 of 3 features, 4 have a class",
        "Edges: 2, each in both directions",
    ]
    loops, alone = findings.warnings
    assert loops.startswith("1 edges lead from a node to itself")
    assert alone.startswith("2 nodes have no edge")


def test_directed_edges_stay_as_they_are():
    graph, findings = read(ARRAYS, directed=True)
    assert as_pairs(graph.edges) == [(0, 1), (1, 0), (1, 2)]
    assert "Edges: 3, each one way" in findings.facts


def test_other_layouts():
    """Of PyTorch Geometric; a batch of one graph; and a sparse matrix of SciPy."""
    pyg = {"x": FEATURES, "edge_index": np.array(EDGES).T, "y": np.array(list("uvuvu"))}
    graph, _ = read(pyg)
    assert as_pairs(graph.edges) == as_pairs(BOTH)
    assert graph.labels.tolist() == list("uvuvu")
    batch = {"features": FEATURES[None], "edges": np.array([EDGES]), "labels": [[0, 1, -1, 1, 0]]}
    np.testing.assert_array_equal(read(batch)[0].features, FEATURES)
    rows = sparse.csr_matrix(FEATURES)
    parts = {"x_data": rows.data, "x_indices": rows.indices, "x_indptr": rows.indptr}
    graph, _ = read({**pyg, **parts, "x_shape": np.array(rows.shape)})
    np.testing.assert_array_equal(graph.features, FEATURES)


def test_two_tables(tmp_path):
    NODES.to_csv(tmp_path / "nodes.csv", index=False)
    LINKS.to_csv(tmp_path / "edges.tsv", index=False, sep="\t")
    graph, _ = read(tmp_path / "nodes.csv", tmp_path / "edges.tsv")
    assert graph.feature_names == ["age", "age is missing", "kind=x", "kind=y"]
    np.testing.assert_array_equal(
        graph.features,
        [[3, 0, 1, 0], [4, 1, 0, 1], [5, 0, 1, 0], [4, 0, 1, 0], [4, 0, 0, 1]],
    )
    assert as_pairs(graph.edges) == as_pairs(BOTH)
    assert graph.labels.tolist() == ["cat", "dog", "", "dog", "cat"]
    assert {name: nodes.tolist() for name, nodes in graph.parts.items()} == {
        "train": [0, 1],
        "validation": [3],
        "test": [4],
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"edges": np.array([[0, 1], [1, 7]])}, r"Edge 1 leads from node 1 to node 7.* 0 to 4\. 1"),
        ({"edges": np.array([[0.0, 1.0]])}, r"`edges` must be integers.*dtype float64"),
        ({"edges": np.array([0, 1])}, r"`edges` must be integers of shape \(E, 2\)"),
        ({"labels": np.array([0, 1])}, r"`labels` must have shape \(N,\) = \(5,\)"),
        ({"features": FEATURES[0]}, r"`features` must be numbers of shape \(N, F\)"),
        ({"features": np.full((5, 2), np.nan)}, "nan as feature 0 of node 0, and 10"),
        ({"train_mask": np.array([0.5] * 5)}, r"`train_mask` must be a boolean mask"),
    ],
)
def test_bad_arrays_get_a_sentence(change, message):
    with pytest.raises(ValueError, match=message):
        read({**ARRAYS, **change})


def test_a_missing_array_is_named():
    with pytest.raises(ValueError, match=r"no array of edges, such as 'edges'\. Arrays: features"):
        read({"features": FEATURES})


@pytest.mark.parametrize(
    ("nodes", "links", "message"),
    [
        (NODES, LINKS.assign(target="z"), r"Edge 0 leads from 'a' to 'z', .* no node 'z'.* 1 such"),
        (NODES.assign(id="a"), LINKS, r"1 ids in the column 'id' .* several nodes: 'a'"),
        (NODES, LINKS[["source"]], r"a column of sources and one of targets\. Columns: source"),
        (NODES.drop(columns="label"), LINKS, "Say which column `label` is"),
        (NODES[["id", "label", "split"]], LINKS, "no column to predict 'label' from"),
    ],
)
def test_bad_tables_get_a_sentence(nodes, links, message):
    with pytest.raises(ValueError, match=message):
        read(nodes, links)


def test_bad_files_get_a_sentence(tmp_path):
    (tmp_path / "graph.npz").write_bytes(b"no archive")
    with pytest.raises(ValueError, match=r"cannot be read as an \.npz file"):
        read(tmp_path / "graph.npz")
    np.savez(tmp_path / "pickle.npz", features=np.array([{}], object))
    with pytest.raises(ValueError, match="allow_pickle=False"):
        read(tmp_path / "pickle.npz")
    with pytest.raises(ValueError, match="`data` names no file"):
        read(tmp_path / "missing.npz")
    (tmp_path / "nodes.csv").write_text("id\n1\n")
    with pytest.raises(ValueError, match=r"or a table of nodes beside one of edges"):
        read(tmp_path / "nodes.csv")
