"""The graph of a functional model: its calls in order, and what stands behind an input."""

import inspect
from collections.abc import Iterator
from typing import Any

import keras


def graph_of(model: Any) -> Any:
    """Returns the functional graph of a model, a `keras.Sequential` too, or `None`."""
    graph = getattr(model, "_functional", None) or model
    return graph if hasattr(graph, "_nodes_by_depth") else None


def calls(graph: Any) -> Iterator[Any]:
    """Yields the calls of a graph, each one behind those that it depends on."""
    for depth in sorted(graph._nodes_by_depth, reverse=True):
        yield from (node for node in graph._nodes_by_depth[depth] if not node.is_input)


def tensors_in_order(call: Any) -> list[keras.KerasTensor]:
    """Returns what goes into a layer in the order of its parameters: queries before values."""
    names = list(inspect.signature(call.operation.call).parameters)
    named = call.arguments.kwargs
    order = sorted(named, key=lambda name: names.index(name) if name in names else len(names))
    flat = keras.tree.flatten([*call.arguments.args, *(named[name] for name in order)])
    return [x for x in flat if isinstance(x, keras.KerasTensor)]


def is_function(operation: Any, name: str) -> bool:
    """Whether an operation is a function of Keras, which has no public class to ask for."""
    return not isinstance(operation, keras.Layer) and type(operation).__name__ == name


def layers_behind(model: keras.Model, name: str) -> Iterator[tuple[keras.Layer, Any]]:
    """Yields the layers that an input goes through, in order, inner ones too.

    Args:
        model: functional.
        name: of the input.

    Yields:
        A layer, and the shape of what it is called with; `None` for a layer inside another.
    """
    graph = graph_of(model)
    yield from _layers_behind(graph, {id(x) for x in graph.inputs if x.name == name})


def _layers_behind(graph: Any, reached: set[int]) -> Iterator[tuple[keras.Layer, Any]]:
    for call in calls(graph):
        given = [tensor for tensor in call.input_tensors if id(tensor) in reached]
        if not given:
            continue
        reached.update(map(id, call.output_tensors))
        inner = graph_of(call.operation)
        if inner is not None:
            pairs = zip(inner.inputs, call.input_tensors, strict=True)
            yield from _layers_behind(inner, {id(own) for own, x in pairs if id(x) in reached})
        elif isinstance(call.operation, keras.Layer):
            yield call.operation, given[0].shape
            for part in call.operation._flatten_layers(include_self=False):
                yield part, None
