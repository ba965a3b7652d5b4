"""Citation graphs with the Planetoid splits: Cora, Citeseer and Pubmed."""

import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo.data import Source, Splits
from zoo.data.download import File, fetch

_URL = (
    "https://raw.githubusercontent.com/kimiyoung/planetoid/"
    "af6abf468a772cc055bec88c52e4d6f51b7c37e3/data/"
)
_SHA256 = {
    "cora": {
        "x": "23cfa55d91c6f624233f5eb7b6e3f141f1bd2b2ae39608a63cf5d084bb27baab",
        "y": "94465c14eb53e04ca262198dcbb2521ee8af60fb3f3d546cd6ca24a511b0e7d1",
        "tx": "b9afbaa4a400df991f6f02ef677e1e44da55ffc04801fd02f9e673987829226a",
        "ty": "41f5ac76596a1699cc33f53084a2419e92961c42bb75f36fc38e616d348532ad",
        "allx": "9419ba2f26f5c35243db64aba110e0f35a04851609e0dc5433450676ca6b8543",
        "ally": "2b998f5cc7fedc86e7f97ca2498f47a1ffc1462c29e2d578b23bf3f62b6e7d71",
        "graph": "58f13302f39dde8852dad6fe6d15b89b077b6d7f837626bce671ef80344b383d",
        "test.index": "297ce89af2b51a6a194181c7dbe1796c6a1cf9cd9349a88383b1b1e227867875",
    },
    "citeseer": {
        "x": "d20de19150741e555de0ed037195630fc194114ebc7fd72ced62810148aa22f6",
        "y": "8ba87e515d8e3ee3cf52f6d2c5b86aa73f11ecad825a808455209ec26cd54924",
        "tx": "539a8906a2da97628d212f2fdd668c109a8b3f0d36574b59e5d3fd5b5303da21",
        "ty": "55e5bd1ba1e733a04598753ad1a8d57957f4b8f89e74519f41f4f4938767e4ce",
        "allx": "2ac30345d95c9ec933a817ee0bdd6a5f077f8c184a20e696910192d534414668",
        "ally": "f704b2d986dde6c2669934de1f3ae5696a6cf9455c0f6b2646a2d135ea0a1c95",
        "graph": "d79a4ef9d3e7169aee8946145f6b7306e35bc79bffad26346cfb94e10e9912a7",
        "test.index": "2af990671580b6b2df5d158d1038f8292e30c9cd821b5453f399659b25b723d4",
    },
    # As three public repositories have them, which agree on the others' with the files.
    "pubmed": {
        "x": "fbe9cb5c47200d1b7769a26e579be3b7130b556831f9d850e77c4c74f2599b33",
        "y": "e6c807633307a07ed659249006536a147c7999c797f11a2560752990181b41b3",
        "tx": "4eb5f5d0f30f26497eb0ac6ac9719d09c67e284f1ed0385c93f3ef27a671da3d",
        "ty": "ee2e0d4819d9fbcc403689c3bf2e49face401b605932f093bc58ab6461130fdd",
        "allx": "508e538e2abdccdd54c4d3e9f49d638b4af7107d85845f66ddea5a5152658b7e",
        "ally": "0c37bbe3b5014ec365e9d393cf4791925e5ed94fb194305d74f064a8d7b50f0e",
        "graph": "5b89f0036ca22909471f1e6558eb42fa06e0c730a577bde5b058b40638f81dc9",
        "test.index": "b101d421688bbaecbd82e8a18f1e282378d6830f3a37666f28ebc47f844341b5",
    },
}
# The files number the classes and do not name them; that no two are of one size tells which is
# which. Sizes as in the graphs of Sen et al., 2008, and Namata et al., 2012.
_CLASSES = {
    "cora": {
        351: "theory",
        217: "reinforcement learning",
        418: "genetic algorithms",
        818: "neural networks",
        426: "probabilistic methods",
        298: "case-based",
        180: "rule learning",
    },
    "citeseer": {596: "agents", 249: "AI", 701: "databases", 508: "HCI", 668: "IR", 590: "ML"},
    "pubmed": {4103: "diabetes, experimental", 7875: "diabetes, type 1", 7739: "diabetes, type 2"},
}


def source(name: str) -> Source:
    """Returns the source of a graph."""
    return Source(
        name=f"{name.capitalize()} with the Planetoid split",
        url="https://github.com/kimiyoung/planetoid",
        license="MIT of the repository with the data; the originals state none",
        citation=(
            "Z. Yang, W. Cohen and R. Salakhutdinov, Revisiting Semi-Supervised Learning with "
            "Graph Embeddings, ICML 2016, https://arxiv.org/abs/1603.08861; P. Sen et al., "
            "Collective Classification in Network Data, AI Magazine, 2008"
        ),
    )


def load(name: str = "cora") -> Splits:
    """One graph, in which 20 nodes per class are labelled, 500 are to choose by and 1,000 to
    test on. `features` are normalised to sum to 1 per node, `edges` in both directions.

    Args:
        name: `"cora"`, `"citeseer"` or `"pubmed"`.

    Returns:
        x `{"features": (1, N, F), "edges": (1, E, 2)}`, y `(1, N)` int32, and weights `(1, N)`,
        1 at the nodes of the part; the graph is the same in each part.

    Raises:
        ValueError: there is no such graph.
        pickle.UnpicklingError: a file names something that no such file has.
    """
    if name not in _SHA256:
        raise ValueError(f"`name` must be one of {', '.join(_SHA256)}. Received: name={name!r}")
    paths = {
        part: fetch("planetoid/original", File(url=f"{_URL}ind.{name}.{part}", sha256=sha256))
        for part, sha256 in _SHA256[name].items()
    }
    graph = read(paths)
    labels = graph["labels"]
    class_names = [_CLASSES[name][size] for size in np.bincount(labels[labels >= 0]).tolist()]
    return splits(graph, class_names, source(name))


def read(paths: Mapping[str, Path]) -> dict[str, Any]:
    """Returns the graph in files of Planetoid's layout.

    Nodes that no file describes, as Citeseer has among those to test on, have features of zero
    and the label -1.

    Returns:
        `features` `(N, F)`, `labels` `(N,)`, `edges` `(E, 2)` in both directions without loops and
        repetitions, and the indices of the nodes `train`, `validation` and `test`.

    Raises:
        pickle.UnpicklingError: a file names something that no such file has.
    """
    parts = {part: unpickle(path) for part, path in paths.items() if part != "test.index"}
    test = np.array([int(line) for line in paths["test.index"].read_text().split()])
    train, known = len(parts["y"]), len(parts["ally"])
    nodes = max(test.max() + 1, known)
    features = np.zeros((nodes, parts["allx"].shape[1]), np.float32)
    features[:known], features[test] = parts["allx"], parts["tx"]
    labels = np.full(nodes, -1, np.int32)
    labels[:known], labels[test] = (np.argmax(parts[part], axis=1) for part in ("ally", "ty"))
    pairs = [(node, other) for node, others in parts["graph"].items() for other in others]
    pairs = np.array(pairs, np.int32).reshape(-1, 2)
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    return {
        "features": features,
        "labels": labels,
        "edges": np.unique(np.concatenate([pairs, pairs[:, ::-1]]), axis=0),
        "train": np.arange(train),
        "validation": np.arange(train, min(train + 500, known)),
        "test": np.sort(test),
    }


def splits(graph: Mapping[str, Any], class_names: Sequence[str], source: Source | None) -> Splits:
    """Returns the parts of a graph as a model takes them."""
    features = graph["features"]
    features = features / np.maximum(features.sum(axis=1, keepdims=True), 1e-12)
    labels = np.maximum(graph["labels"], 0)[None].astype(np.int32)

    def part(nodes: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
        weights = np.zeros(labels.shape, np.float32)
        weights[0, nodes] = 1.0
        return {"features": features[None], "edges": graph["edges"][None]}, labels, weights

    return Splits(
        train=part(graph["train"]),
        validation=part(graph["validation"]),
        test=part(graph["test"]),
        class_names=tuple(class_names),
        source=source,
    )


def sample() -> Splits:
    """A made-up graph of the same form: 7 groups of 8 nodes, joined in rings, a word for each."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(7), 8).astype(np.int32)
    features = (rng.random((56, 20)) < 0.1).astype(np.float32)
    features[np.arange(56), labels] = 1
    first = np.arange(56)
    pairs = np.stack([first, labels * 8 + (first + 1) % 8], axis=1)
    edges = np.unique(np.concatenate([pairs, pairs[:, ::-1]]), axis=0)
    graph = {
        "features": features,
        "labels": labels,
        "edges": edges.astype(np.int32),
        "train": first[first % 8 < 4],
        "validation": first[first % 8 == 4],
        "test": first[first % 8 > 4],
    }
    return splits(graph, tuple(_CLASSES["cora"].values()), source("cora"))


def unpickle(path: Path) -> Any:
    """Returns arrays, sparse matrices made dense, dicts and lists from a pickle of Python 2.

    Nothing of NumPy's or SciPy's is called by the file: stand-ins of this module take what it
    says, and look at it.
    """
    with path.open("rb") as file:
        value = _Unpickler(file, encoding="latin1").load()
    return value.content if isinstance(value, (_Array, _Matrix)) else value


class _Type:
    """Stands for `numpy.dtype`: plain numbers."""

    def __init__(self, name: str, *_: Any) -> None:
        if name not in ("b1", "i1", "u1", "i2", "i4", "i8", "f4", "f8"):
            raise pickle.UnpicklingError(f"The file has an array of the type {name!r}.")
        self.name = name
        self.order = "="

    def __setstate__(self, state: tuple) -> None:
        self.order = {"<": "<", ">": ">"}.get(state[1], "=")


class _Array:
    """Stands for `numpy.ndarray`."""

    content: np.ndarray

    def __setstate__(self, state: tuple) -> None:
        _, shape, kind, by_column, data = state
        array = np.frombuffer(data.encode("latin1"), np.dtype(kind.order + kind.name))
        self.content = array.reshape(shape, order="F" if by_column else "C")


class _Matrix:
    """Stands for `scipy.sparse.csr_matrix`."""

    content: np.ndarray

    def __setstate__(self, state: dict[str, Any]) -> None:
        data, columns, starts = (state[name].content for name in ("data", "indices", "indptr"))
        self.content = np.zeros(state["_shape"], data.dtype)
        rows = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
        np.add.at(self.content, (rows, columns), data)  # repeated entries add up


_STAND_INS = {
    ("collections", "defaultdict"): lambda factory: {},
    ("__builtin__", "list"): list,
    ("__builtin__", "object"): object,
    ("copy_reg", "_reconstructor"): lambda kind, base, state: kind(),
    ("numpy", "dtype"): _Type,
    ("numpy", "ndarray"): _Array,
    ("numpy.core.multiarray", "_reconstruct"): lambda kind, shape, letter: kind(),
    ("scipy.sparse.csr", "csr_matrix"): _Matrix,
}


class _Unpickler(pickle.Unpickler):
    """Knows the names that these files have, and refuses all others."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _STAND_INS:
            raise pickle.UnpicklingError(
                f"The file names {module}.{name}, which no file of this dataset does. It may do "
                "harm; get it again from where it was published."
            )
        return _STAND_INS[module, name]
