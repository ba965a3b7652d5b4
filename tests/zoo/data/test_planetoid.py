"""Planetoid's files, made by hand in their format, and what a pickle may not do."""

import dataclasses
import pickle
import struct
from collections import defaultdict
from typing import ClassVar

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from zoo.data import download, planetoid

pytestmark = pytest.mark.runs_on("torch")

# Nodes 0 to 4 in `allx`, the first two of them labelled; 5, 6 and 8 to test on; nothing says what
# 7 is, as in Citeseer.
TEST = [8, 5, 6]
GRAPH = {0: [1, 1, 2], 1: [0], 2: [2, 3], 5: [0], 8: [6, 4]}


@dataclasses.dataclass(frozen=True)
class Name:
    """A class or function by the name it has in Python 2."""

    module: str
    name: str

    def __call__(self):
        raise AssertionError("to be written, not to be called")


ARRAY, TYPE = Name("numpy", "ndarray"), Name("numpy", "dtype")
MAKE_ARRAY = Name("numpy.core.multiarray", "_reconstruct")
MATRIX, OBJECT = Name("scipy.sparse.csr", "csr_matrix"), Name("__builtin__", "object")
MAKE_OBJECT = Name("copy_reg", "_reconstructor")


class Python2Pickler(pickle._Pickler):
    """Writes as Python 2 does: its names, and all strings as strings of bytes."""

    dispatch: ClassVar[dict] = dict(pickle._Pickler.dispatch)

    def save_name(self, name):
        self.write(pickle.GLOBAL + f"{name.module}\n{name.name}\n".encode())

    def save_string(self, text):
        text = text if isinstance(text, bytes) else text.encode()
        if self.bin:
            self.write(pickle.BINSTRING + struct.pack("<i", len(text)) + text)
        else:
            self.write(pickle.STRING + repr(text)[1:].encode() + b"\n")

    def save_array(self, array):
        state = (1, array.shape, array.dtype, False, array.tobytes())
        self.save_reduce(MAKE_ARRAY, (ARRAY, (0,), "b"), state)

    def save_matrix(self, matrix):
        if self.bin:
            self.save_name(MATRIX)
            self.write(pickle.EMPTY_TUPLE + pickle.NEWOBJ)
        else:
            self.save_reduce(MAKE_OBJECT, (MATRIX, OBJECT, None))
        state = {name: getattr(matrix, name) for name in ("data", "indices", "indptr")}
        self.save({"_shape": matrix.shape, "maxprint": 50, **state})
        self.write(pickle.BUILD)

    def reducer_override(self, value):
        if not isinstance(value, np.dtype):
            return NotImplemented
        return TYPE, (value.str[1:], 0, 1), (3, "<", None, None, None, -1, -1, 0)

    dispatch |= {Name: save_name, str: save_string, bytes: save_string}
    dispatch |= {np.ndarray: save_array, csr_matrix: save_matrix}


def write(path, content, protocol=2):
    with path.open("wb") as file:
        Python2Pickler(file, protocol).dump(content)


@pytest.fixture(params=[0, 2])
def files(tmp_path, request):
    """In the protocols of Python 2, of which upstream's are the second."""
    rng = np.random.default_rng(0)
    allx = csr_matrix((rng.random((5, 4)) < 0.6).astype("float32"))
    tx = csr_matrix(np.arange(12, dtype="float32").reshape(3, 4))
    classes = np.eye(3, dtype="int32")
    parts = {
        "x": allx[:2],
        "y": classes[[2, 0]],
        "allx": allx,
        "ally": classes[[2, 0, 1, 1, 0]],
        "tx": tx,
        "ty": classes[[1, 2, 0]],
        "graph": defaultdict(list, GRAPH),
    }
    paths = {"test.index": tmp_path / "ind.cora.test.index"}
    paths["test.index"].write_text("".join(f"{i}\n" for i in TEST))
    for name, content in parts.items():
        paths[name] = tmp_path / f"ind.cora.{name}"
        write(paths[name], content, request.param)
    return paths, parts


def test_the_graph_is_what_the_files_say(files):
    paths, parts = files
    graph = planetoid.read(paths)
    features = graph["features"]
    np.testing.assert_array_equal(features[:5], parts["allx"].toarray())
    np.testing.assert_array_equal(features[[8, 5, 6]], parts["tx"].toarray())
    np.testing.assert_array_equal(features[7], 0)
    assert graph["labels"].tolist() == [2, 0, 1, 1, 0, 2, 0, -1, 1]
    pairs = {(0, 1), (0, 2), (2, 3), (0, 5), (6, 8), (4, 8)}  # no loop, no repetition
    assert {tuple(edge) for edge in graph["edges"].tolist()} == pairs | {(b, a) for a, b in pairs}
    assert len(graph["edges"]) == 2 * len(pairs)
    assert graph["train"].tolist() == [0, 1]
    assert graph["validation"].tolist() == [2, 3, 4]
    assert graph["test"].tolist() == [5, 6, 8]


def test_parts_weigh_their_nodes(files):
    splits = planetoid.splits(planetoid.read(files[0]), ("a", "b", "c"), None)
    x, y, weights = splits.test
    assert x["features"].shape == (1, 9, 4)
    assert x["features"].dtype == np.float32
    sums = x["features"][0].sum(axis=-1)
    assert np.isclose(sums, 1).sum() + (sums == 0).sum() == 9
    assert np.flatnonzero(weights[0]).tolist() == [5, 6, 8]
    assert y[0, 7] == 0
    assert not any(part[2][0, 7] for part in (splits.train, splits.validation, splits.test))


@pytest.mark.parametrize(
    "name", ["os.system", "__builtin__.eval", "numpy.load", "scipy.sparse.csr.csr_row_index"]
)
def test_nothing_else_is_unpickled(tmp_path, name):
    module, _, function = name.rpartition(".")
    (tmp_path / "harm").write_bytes(f"c{module}\n{function}\n(S'true'\ntR.".encode())
    with pytest.raises(pickle.UnpicklingError, match=f"names {name}, which no file"):
        planetoid.unpickle(tmp_path / "harm")


def test_arrays_are_of_numbers_and_indices_within_bounds(tmp_path):
    write(tmp_path / "objects", np.array([None]))
    with pytest.raises(pickle.UnpicklingError, match="type 'O"):
        planetoid.unpickle(tmp_path / "objects")
    outside = csr_matrix(np.ones((2, 2), "float32"))
    outside.indices[0] = 5
    write(tmp_path / "outside", outside)
    with pytest.raises(IndexError):
        planetoid.unpickle(tmp_path / "outside")


def test_it_is_loaded_from_the_cache_by_name(files, monkeypatch, tmp_path):
    """The sizes of the classes tell their names."""
    folder = tmp_path / "planetoid" / "original"
    folder.mkdir(parents=True)
    digests = {}
    for part, path in files[0].items():
        path.rename(folder / path.name)
        digests[part] = download.sha256(folder / path.name)
    monkeypatch.setenv(download.VARIABLE, str(tmp_path))
    monkeypatch.setitem(planetoid._SHA256, "cora", digests)
    monkeypatch.setitem(planetoid._CLASSES, "cora", {3: "three", 2: "two"})
    splits = planetoid.load("cora")
    assert splits.class_names == ("three", "three", "two")
    assert splits.train[0]["features"].shape == (1, 9, 4)


def test_unknown_graphs_are_refused():
    with pytest.raises(ValueError, match=r"one of cora, citeseer, pubmed. Received: name='dora'"):
        planetoid.load("dora")
