"""The part of a graph that a prediction for one node can depend on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_attention.ops import checks


@dataclass(frozen=True)
class Neighborhoods:
    """Small graphs, each around one node of a large one; made by `neighborhoods`.

    Attributes:
        inputs: `features` `(B, n, F)`, zeros where a graph has fewer nodes, `edges` `(B, e, 2)`
            padded with -1, and what else was given for nodes `(B, n, ...)`.
        position: `(B,)` the node in its own graph: always the first.
        nodes: `(B, n)` indices in the large graph, -1 where there is none.
    """

    inputs: dict[str, np.ndarray]
    position: np.ndarray
    nodes: np.ndarray


def neighborhoods(inputs: Mapping[str, Any], nodes: Any, hops: int) -> Neighborhoods:
    """Cuts out of a graph what some of its nodes can see.

    A model with `hops` layers of graph attention says the same of a node in its own small graph as
    in the whole one, and a thousand small graphs fit in memory:

    ```python
    around = ka.explain.neighborhoods(graph, [17, 99], hops=2)
    ka.explain.faithfulness(model, around.inputs, position=around.position)
    ```

    Args:
        inputs: `features` `(1, N, F)` and `edges` `(1, E, 2)`, pairs (source, target) padded with
            -1: the target reads the source.
        nodes: indices of the nodes.
        hops: layers that a node reads others by.

    Raises:
        ValueError: not one graph, no `edges`, or no such node.
    """
    checks.positive_int(hops=hops)
    features, edges = (np.asarray(inputs[name]) for name in ("features", "edges"))
    if len(features) != 1 or len(edges) != 1 or edges.ndim != 3:
        raise ValueError(
            "`inputs` must have the features (1, N, F) and the edges (1, E, 2) of one graph. "
            f"Received: features {features.shape}, edges {edges.shape}"
        )
    nodes = np.atleast_1d(np.asarray(nodes))
    size = features.shape[1]
    if nodes.dtype.kind not in "iu" or not ((nodes >= 0) & (nodes < size)).all():
        raise ValueError(f"`nodes` must be indices below {size}. Received: nodes={nodes}")
    pairs = edges[0][(edges[0] >= 0).all(axis=-1)]
    source, target = pairs.T
    members, inner = [], []
    for node in nodes:
        near = np.zeros(size, bool)
        near[node] = True
        reads = np.zeros(len(pairs), bool)
        for _ in range(hops):
            reads = near[target]
            near[source[reads]] = True
        others = np.flatnonzero(near)
        members.append(np.concatenate([[node], others[others != node]]))
        inner.append(pairs[reads])  # a node `hops` away is read, and reads nothing itself
    width, most = max(map(len, members)), max(1, *map(len, inner))
    by_node = {name: np.asarray(array)[0] for name, array in inputs.items() if name != "edges"}
    small: dict[str, np.ndarray] = {
        name: np.zeros((len(nodes), width, *array.shape[1:]), array.dtype)
        for name, array in by_node.items()
    }
    small["edges"] = np.full((len(nodes), most, 2), -1, edges.dtype)
    indices = np.full((len(nodes), width), -1)
    place = np.zeros(size, int)
    for row, (own, between) in enumerate(zip(members, inner, strict=True)):
        indices[row, : len(own)] = own
        place[own] = np.arange(len(own))
        small["edges"][row, : len(between)] = place[between]
        for name, array in by_node.items():
            small[name][row, : len(own)] = array[own]
    return Neighborhoods(small, np.zeros(len(nodes), int), indices)
