"""Graphs on a page: the neighbourhood of a node, small enough to be drawn."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from keras_attention.explain.attribution.names import class_names
from keras_attention.explain.attribution.neighborhoods import neighborhoods
from keras_attention.explain.maps import attention_maps
from keras_attention.explain.pages.image import Graph
from keras_attention.explain.pages.positions import Item

_NODES = 40  # of a graph that is drawn


def around_nodes(
    model: keras.Model, inputs: Mapping[str, Any], nodes: Sequence[int]
) -> tuple[dict[str, np.ndarray], list[str], list[list[Item]]]:
    """Returns small graphs around nodes of a large one, a name for each, and what stands at their
    nodes; nothing at those that there is no room for.

    Args:
        model: that reads features and edges.
        inputs: of one graph.
        nodes: indices of the nodes.
    """
    one = {name: np.asarray(array)[:1] for name, array in inputs.items()}
    hops = len(attention_maps.record(model, one).maps)
    near = neighborhoods(one, nodes, hops)
    outputs = attention_maps.predicted(model, near.inputs)
    answers = attention_maps.to_numpy(keras.tree.flatten(outputs)[0]).argmax(axis=-1)
    classes = class_names(model)
    items = []
    for own, edges, chosen in zip(near.nodes, near.inputs["edges"], answers, strict=True):
        distance = _distances(edges, len(own), hops)
        shown = np.sort(np.argsort(distance, kind="stable")[:_NODES])
        shown = shown[own[shown] >= 0]
        labels = [f"{own[i]} {classes[chosen[i]]}" if classes else str(own[i]) for i in shown]
        graph = Graph(labels, _place(distance[shown]), _edges_between(edges, shown))
        of_graph: list[Item] = [None] * len(own)
        for i in shown:
            of_graph[i] = graph
        items.append(of_graph)
    return near.inputs, [f"node {node}" for node in nodes], items


def _distances(edges: np.ndarray, size: int, hops: int) -> np.ndarray:
    """Returns how many edges `(nodes,)` lie between each node and the first one."""
    source, target = edges[(edges >= 0).all(axis=-1)].T
    distance = np.full(size, hops + 1)
    distance[0] = 0
    for hop in range(hops):
        reached = source[distance[target] == hop]
        distance[reached] = np.minimum(distance[reached], hop + 1)
    return distance


def _place(distance: np.ndarray) -> np.ndarray:
    """Returns places `(nodes, 2)` on rings around the first node."""
    places = np.full((len(distance), 2), 0.5)
    rings = sorted(set(distance.tolist()) - {0})
    for number, hop in enumerate(rings, 1):
        on_ring = np.flatnonzero(distance == hop)
        turn = 2 * np.pi * (np.arange(len(on_ring)) + 0.5 * (number - 1)) / len(on_ring)
        radius = 0.45 * number / len(rings)
        places[on_ring, 0] += radius * np.sin(turn)
        places[on_ring, 1] -= radius * np.cos(turn)
    return places


def _edges_between(edges: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """Returns the edges `(E, 2)` between the nodes that are shown, by their order."""
    place = {int(node): i for i, node in enumerate(shown)}
    pairs = {
        (place[int(a)], place[int(b)]) for a, b in edges if int(a) in place and int(b) in place
    }
    return np.array(sorted((a, b) for a, b in pairs if a != b), int).reshape(-1, 2)
