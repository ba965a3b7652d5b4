"""The cost to Keras of building a functional model, counted before it is built.

Keras tries every layer that waits for others again and again until nothing waits, and calls a
model inside a model layer by layer. So a file of a few kilobytes can ask for hours.
"""

import sys
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from keras_attention.saving.errors import DamagedFileError, RefusedFileError
from keras_attention.saving.limits import Limits, exceeded

_CONSTANTS = ("__numpy__", "__tensor__")
_WALKED = 16  # plain values among the arguments of a call that cost Keras about one call


def check(config: Any, limits: Limits) -> None:
    """Refuses a configuration whose models take too many calls of layers to build.

    Raises:
        RefusedFileError: they take more than `limits.calls`, or compute with constants alone.
        DamagedFileError: a model is not as Keras writes it.
    """
    _Counter(limits).cost(config)


class _Counter:
    """Adds up the calls of layers that building takes.

    Args:
        limits: of the calls.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.calls = 0

    def cost(self, value: Any) -> int:
        """The number of layers that one call of what `value` describes will call.

        Building it is added to `calls`.
        """
        if isinstance(value, list):
            return sum(self.cost(each) for each in value if isinstance(each, dict | list))
        if not isinstance(value, dict):
            return 0
        inner = value.get("config")
        if "class_name" in value and isinstance(inner, dict) and "input_layers" in inner:
            return 1 + self._functional(inner)
        if "class_name" in value and isinstance(inner, dict) and _dicts(inner.get("layers")):
            return 1 + self._sequential(inner["layers"])
        parts = sum(self.cost(each) for each in value.values() if isinstance(each, dict | list))
        return parts + ("class_name" in value)

    def _functional(self, config: Mapping[str, Any]) -> int:
        nodes, each, models = {}, {}, set()
        for layer in _layers(config):
            name = layer["name"]
            nodes[name] = [_Node(node) for node in layer.get("inbound_nodes", [])]
            each[name] = self.cost({**layer, "inbound_nodes": None})
            if isinstance(layer["config"], dict) and "layers" in layer["config"]:
                models.add(name)
        for name, calls in nodes.items():
            for node in calls:
                if not node.inputs:
                    raise RefusedFileError(f"The layer {name!r} is called on constants alone.")
                if node.constant and name in models:
                    raise RefusedFileError(f"The model {name!r} is called on a constant.")
        cost = sum(each[name] * len(calls) for name, calls in nodes.items())
        self._add(cost)
        for waiting in _passes(nodes):
            self._add(waiting)
        return cost

    def _sequential(self, layers: Sequence[dict[str, Any]]) -> int:
        each = [self.cost(layer) for layer in layers]
        for number, cost in enumerate(each):
            self._add(cost * (len(each) - number))  # Keras calls all again for each that it adds
        return sum(each)

    def _add(self, calls: int) -> None:
        self.calls += calls
        if self.calls > self.limits.calls:
            raise exceeded(
                "The number of calls of layers that building it takes",
                f"more than {self.limits.calls:,}",
                "calls",
                f"{self.limits.calls:,}",
            )


class _Node:
    """A call of a layer.

    Attributes:
        inputs: the name of a layer and the number of its call, for each result that is used.
        constant: whether an array of the file is among the arguments.
        cost: of reading the arguments, in calls.
    """

    def __init__(self, node: Any) -> None:
        self.inputs: list[tuple[str, int]] = []
        self.constant = False
        values = sum(1 for _ in self._walk(node))
        if isinstance(node, list):  # as Keras 2 wrote it
            self.inputs += [_history(each) for each in node]
        self.cost = 1 + values // _WALKED

    def _walk(self, value: Any) -> Iterator[Any]:
        """The values that Keras looks at, one by one."""
        yield value
        if isinstance(value, list):
            for each in value:
                yield from self._walk(each)
        elif isinstance(value, dict):
            if value.get("class_name") == "__keras_tensor__":
                config = value.get("config")
                self.inputs.append(
                    _history(config.get("keras_history") if isinstance(config, dict) else None)
                )
            elif value.get("class_name") in _CONSTANTS:
                self.constant = True
            else:
                for each in value.values():
                    yield from self._walk(each)


def _layers(config: Mapping[str, Any]) -> list[dict[str, Any]]:
    layers = config.get("layers")
    whole = isinstance(layers, list) and all(map(_is_layer, layers))
    if layers and whole and len({layer["name"] for layer in layers}) == len(layers):
        return layers
    raise DamagedFileError("Its layers are not listed as Keras lists them.")


def _is_layer(layer: Any) -> bool:
    return (
        isinstance(layer, dict)
        and isinstance(layer.get("name"), str)
        and "config" in layer
        and isinstance(layer.get("inbound_nodes", []), list)
    )


def _dicts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, dict) for each in value)


def _history(value: Any) -> tuple[str, int]:
    if (
        isinstance(value, list)
        and len(value) >= 3
        and isinstance(value[0], str)
        and type(value[1]) is int
        and value[1] >= 0
    ):
        return value[0], value[1]
    raise DamagedFileError("A call of a layer does not say on what.")


def _passes(nodes: Mapping[str, Sequence[_Node]]) -> Iterator[int]:
    """The costs of Keras's passes over the calls that wait for others, until none waits."""
    # How many layers lead to each result of a layer; an input is there at once.
    depths: dict[str, list[int]] = {name: [] if calls else [0] for name, calls in nodes.items()}
    waiting = {name: deque(calls) for name, calls in nodes.items() if calls}
    while waiting:
        left = sum(map(len, waiting.values()))
        yield sum(node.cost for calls in waiting.values() for node in calls)
        for name, calls in list(waiting.items()):
            while calls and all(
                number < len(depths.get(layer, ())) for layer, number in calls[0].inputs
            ):
                inputs = calls.popleft().inputs
                depths[name].append(1 + max(depths[layer][number] for layer, number in inputs))
            if not calls:
                del waiting[name]
        if sum(map(len, waiting.values())) == left:
            raise DamagedFileError(
                f"The layer {next(iter(waiting))!r} waits for a result that no layer gives."
            )
    deepest = max(map(max, depths.values()), default=0)
    if deepest >= sys.getrecursionlimit():
        raise RefusedFileError(
            f"Its longest chain has {deepest:,} layers, and Keras follows one by recursion.",
            "If you trust the file, raise `sys.setrecursionlimit`.",
        )
