"""Graphs: one `.npz` file, or a table of nodes and one of edges."""

import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zoo.readers.features import list_categories, sort_columns
from zoo.readers.findings import Findings, name_some
from zoo.readers.tables import Table, choose_column, read_table, read_texts

IDS, LABELS, SPLITS = (
    ("id", "node", "node_id"),
    ("label", "labels", "class", "y"),
    ("split", "part"),
)
SOURCES, TARGETS = ("source", "src", "from"), ("target", "dst", "to")
# Names of masks in files: those of PyTorch Geometric and of DGL, and short ones.
_MASKS = {
    "train": ("train_mask", "train"),
    "validation": ("val_mask", "validation_mask", "valid_mask", "val", "validation"),
    "test": ("test_mask", "test"),
}
_FEATURES, _EDGES = ("features", "x", "feat"), ("edges", "edge_index")
_SPARSE = ("x_data", "x_indices", "x_indptr", "x_shape")  # rows of a sparse matrix
_MOST_BYTES = 2**32


@dataclass(frozen=True)
class Graph:
    """One graph whose nodes have features, and some of them a class.

    Attributes:
        features: `(N, F)` float32.
        edges: `(E, 2)` int32, (source, target), in both directions, without loops and repetitions.
        labels: `(N,)` texts, empty where a node has no class.
        parts: by `"train"`, `"validation"` and `"test"` the nodes of each, as far as given.
        ids: `(N,)` names of the nodes.
        feature_names: `(F,)`.
    """

    features: np.ndarray
    edges: np.ndarray
    labels: np.ndarray
    parts: Mapping[str, np.ndarray]
    ids: Sequence[str]
    feature_names: Sequence[str]


def read_graph(
    data: Table,
    edges: Table | None = None,
    *,
    label: str | None = None,
    directed: bool = False,
    findings: Findings,
) -> Graph:
    """Returns a graph, and says what is odd about it.

    Args:
        data: an `.npz` file, or a mapping, of the arrays `features` `(N, F)`, `edges` `(E, 2)` and
            `labels` `(N,)`, -1 or empty where unknown, and perhaps `train_mask`, `val_mask` and
            `test_mask`; or a table of nodes, with a column `id`, one of classes, and of features.
        edges: the table of edges, if `data` is one of nodes, with columns `source` and `target`.
        label: the column of the classes, or their array; `label` or the like if `None`.
        directed: take edges as they are; else each also the other way.
        findings: gets what was found.

    Raises:
        ValueError: something is missing, damaged or of the wrong shape, two nodes have one id, or
            an edge leads to a node that is not there.
    """
    if edges is None:
        graph = _of_arrays(data, label)
    else:
        graph = _of_tables(data, edges, label, findings)
    labelled = int(np.sum(graph.labels != ""))
    findings.add(
        f"Nodes: {len(graph.labels):,} of {graph.features.shape[1]:,} features, {labelled:,} have "
        "a class"
    )
    pairs = _clean(graph.edges, directed, findings)
    alone = len(graph.labels) - len(np.unique(pairs))
    if alone:
        findings.warn(f"{alone:,} nodes have no edge: of them the model sees their features alone.")
    return Graph(**{**vars(graph), "edges": pairs})


def _clean(pairs: np.ndarray, directed: bool, findings: Findings) -> np.ndarray:
    """Returns edges without loops and repetitions, in both directions unless they are directed."""
    loops = pairs[:, 0] == pairs[:, 1]
    if loops.any():
        findings.warn(
            f"{loops.sum():,} edges lead from a node to itself. They are left out, since each node "
            "attends to itself anyway."
        )
    pairs = pairs[~loops]
    alike = pairs if directed else np.sort(pairs, axis=1)
    once = np.unique(alike, axis=0).reshape(-1, 2)
    findings.add(
        f"Edges: {len(once):,}, " + ("each one way" if directed else "each in both directions")
    )
    if not directed:
        once = np.concatenate([once, once[:, ::-1]])
    return once[np.lexsort(once.T)].astype(np.int32)


def _of_arrays(data: Any, label: str | None) -> Graph:
    """Returns the graph of an `.npz` file or a mapping of arrays."""
    arrays = data if isinstance(data, Mapping) else _load(data)

    def find(names: Sequence[str], what: str) -> np.ndarray:
        for name in names:
            if name in arrays:
                return np.asarray(arrays[name])
        raise ValueError(
            f"`data` has no array of {what}, such as {names[0]!r}. Arrays: {name_some(arrays)}. "
            "A table of nodes needs one of edges beside it: edges='edges.csv'."
        )

    features = _densify(arrays) if _SPARSE[0] in arrays else find(_FEATURES, "features")
    features = features[0] if features.ndim == 3 and len(features) == 1 else features
    if features.ndim != 2 or features.dtype.kind not in "biuf":
        raise ValueError(
            "`features` must be numbers of shape (N, F), a row for each node. Received: shape "
            f"{features.shape}, dtype {features.dtype}"
        )
    nodes = len(features)
    pairs = find(_EDGES, "edges")
    pairs = pairs[0] if pairs.ndim == 3 and len(pairs) == 1 else pairs
    if pairs.ndim == 2 and pairs.shape[1] != 2 and pairs.shape[0] == 2:
        pairs = pairs.T  # as PyTorch Geometric has them
    if pairs.ndim != 2 or pairs.shape[1] != 2 or pairs.dtype.kind not in "iu":
        raise ValueError(
            "`edges` must be integers of shape (E, 2), source and target of each edge. Received: "
            f"shape {pairs.shape}, dtype {pairs.dtype}"
        )
    outside = np.flatnonzero(((pairs < 0) | (pairs >= nodes)).any(axis=1))
    if len(outside):
        row = outside[0]
        raise ValueError(
            f"Edge {row:,} leads from node {pairs[row, 0]} to node {pairs[row, 1]}, and the nodes "
            f"are 0 to {nodes - 1:,}. {len(outside):,} edges lead to nodes that are not there."
        )
    labels = np.asarray(find((label,) if label else LABELS, "classes"))
    labels = labels[0] if labels.shape == (1, nodes) else labels
    if labels.shape != (nodes,):
        raise ValueError(
            f"`labels` must have shape (N,) = ({nodes},), a class for each node. Received: shape "
            f"{labels.shape}"
        )
    parts = {}
    for part, names in _MASKS.items():
        for name in names:
            if name in arrays:
                parts[part] = _nodes_of(name, np.asarray(arrays[name]), nodes)
                break
    return Graph(
        features=_check_finite(features.astype(np.float32)),
        edges=pairs,
        labels=np.array(list(map(_name_class, labels.tolist())), object),
        parts=parts,
        ids=list(map(str, range(nodes))),
        feature_names=[f"feature {i}" for i in range(features.shape[1])],
    )


def _load(data: Any) -> dict[str, np.ndarray]:
    if not isinstance(data, str | Path):
        raise TypeError(
            "`data` must be an .npz file or a mapping of arrays, or a table of nodes beside one of "
            f"`edges`. Received: a {type(data).__name__}"
        )
    path = Path(data)
    if not path.is_file():
        raise ValueError(f"`data` names no file. Received: {path}")
    if path.suffix.lower() != ".npz":
        raise ValueError(
            f"`data` must be an .npz file, or a table of nodes beside one of edges: "
            f"edges='edges.csv'. Received: {path}"
        )
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(info.file_size for info in archive.infolist())
        if size > _MOST_BYTES:
            raise ValueError(f"it would take {size:,} bytes in memory")
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file}
    except (zipfile.BadZipFile, EOFError, OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be read as an .npz file of arrays: {error}") from error


def _densify(arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """Returns the matrix whose rows are kept as `data`, `indices`, `indptr` and `shape`.

    Raises:
        ValueError: these do not fit together.
    """
    missing = [name for name in _SPARSE if name not in arrays]
    if missing:
        raise ValueError(f"`data` has sparse features without {name_some(missing)}.")
    data, indices, starts, shape = (np.asarray(arrays[name]) for name in _SPARSE)
    if shape.shape != (2,) or shape.dtype.kind not in "iu" or np.prod(shape) * 4 > _MOST_BYTES:
        raise ValueError(f"`x_shape` must be two sizes of a matrix that fits. Received: {shape}")
    from scipy import sparse

    matrix = sparse.csr_matrix(tuple(map(int, shape)), dtype=np.float32)
    matrix = sparse.csr_matrix((data, indices, starts), shape=matrix.shape, dtype=np.float32)
    matrix.check_format(full_check=True)
    return matrix.toarray()


def _nodes_of(name: str, mask: np.ndarray, nodes: int) -> np.ndarray:
    """Returns the nodes of a mask `(N,)`, or of a list of nodes."""
    mask = mask[0] if mask.shape == (1, nodes) else mask
    if mask.dtype.kind == "b" and mask.shape == (nodes,):
        return np.flatnonzero(mask)
    if mask.dtype.kind in "iu" and mask.ndim == 1:
        zeros_and_ones = len(mask) == nodes and mask.max(initial=0) <= 1 and mask.min() >= 0
        if zeros_and_ones:
            return np.flatnonzero(mask)
        if not len(mask) or (mask.min() >= 0 and mask.max() < nodes):
            return np.unique(mask)
    raise ValueError(
        f"`{name}` must be a boolean mask of shape ({nodes},), or numbers of nodes. Received: "
        f"shape {mask.shape}, dtype {mask.dtype}"
    )


def _name_class(label: Any) -> str:
    """Returns the name of a class, empty for -1, NaN and the like."""
    if isinstance(label, bytes):
        label = label.decode("utf-8")
    if isinstance(label, float):
        return "" if label != label else f"{label:g}"
    return "" if isinstance(label, int) and label < 0 else str(label).strip()


def _of_tables(nodes: Table, edges: Table, label: str | None, findings: Findings) -> Graph:
    """Returns the graph of a table of nodes and one of edges."""
    frame = read_table(nodes)
    id_column = choose_column(frame, None, argument="id", usual=(*IDS, frame.columns[0].lower()))
    ids = [text.strip() for text in read_texts(frame, id_column)]
    twice = [name for name, count in Counter(ids).items() if count > 1]
    if twice:
        raise ValueError(
            f"{len(twice):,} ids in the column {id_column!r} of `data` stand for several nodes: "
            f"{name_some(map(repr, twice))}. Give each node a row and an id of its own."
        )
    label = choose_column(frame, label, argument="label", usual=LABELS)
    by_lower = {name.lower(): name for name in frame.columns}
    split = next((by_lower[name] for name in SPLITS if name in by_lower), None)
    others = [id_column, *([split] if split else [])]
    features = sort_columns(frame, target=label, ignore=others, findings=findings)
    rows = features.take(frame)
    columns, names = [], []
    for name in features.numbers:
        missing = np.isnan(rows[name])
        columns.append(np.where(missing, np.nanmean(rows[name]), rows[name]))
        names.append(name)
        if missing.any():
            columns.append(missing)
            names.append(f"{name} is missing")
    for name, values in list_categories(rows, features.categories).items():
        columns += [rows[name] == value for value in values]
        names += [f"{name}={value}" for value in values]
    if features.dates:
        findings.warn(f"Dates of nodes are left out: {name_some(features.dates)}.")
    if not columns:
        raise ValueError("`data` has no columns of numbers or categories as features of nodes.")
    parts = {}
    if split:
        said = [text.strip().lower() for text in read_texts(frame, split)]
        for part, words in _MASKS.items():
            chosen = np.flatnonzero(np.isin(said, [part, *words]))
            if len(chosen):
                parts[part] = chosen
    return Graph(
        features=np.stack(columns, axis=1).astype(np.float32),
        edges=_read_edges(edges, ids),
        labels=np.array([text.strip() for text in read_texts(frame, label)], object),
        parts=parts,
        ids=ids,
        feature_names=names,
    )


def _read_edges(edges: Table, ids: Sequence[str]) -> np.ndarray:
    frame = read_table(edges, argument="edges")
    names = list(frame.columns)
    if len(names) < 2:
        raise ValueError(
            f"`edges` must have a column of sources and one of targets. Columns: {name_some(names)}"
        )
    ends = [
        [
            text.strip()
            for text in read_texts(
                frame,
                choose_column(
                    frame, None, argument="edges", usual=(*usual, names[position].lower())
                ),
            )
        ]
        for position, usual in enumerate((SOURCES, TARGETS))
    ]
    number = {name: i for i, name in enumerate(ids)}
    for row, pair in enumerate(zip(*ends, strict=True)):
        for name in pair:
            if name not in number:
                unknown = {name for end in ends for name in end} - set(number)
                raise ValueError(
                    f"Edge {row:,} leads from {pair[0]!r} to {pair[1]!r}, and there is no node "
                    f"{name!r} in `data`. {len(unknown):,} such nodes: "
                    f"{name_some(sorted(map(repr, unknown)))}"
                )
    return np.array([[number[name] for name in end] for end in ends], np.int64).T


def _check_finite(features: np.ndarray) -> np.ndarray:
    bad = np.argwhere(~np.isfinite(features))
    if len(bad):
        raise ValueError(
            f"`features` must be finite. Received: {features[tuple(bad[0])]} as feature "
            f"{bad[0][1]} of node {bad[0][0]}, and {len(bad):,} such numbers in all"
        )
    return features
