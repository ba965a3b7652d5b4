"""Which sequence each attention layer of a model reads, and which one it writes to.

Explanations that follow attention through a model must know that. A functional model tells: what
comes out of a layer is the sequence that its first input was, until a pooling or a class token
makes another one.
"""

import inspect
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import keras

from keras_attention import layers, scope

_POOLS = (layers.AttentionPooling, layers.SegmentPooling)
_CROSS = (layers.MultiHeadCrossAttention, layers.BahdanauAttention, layers.LuongAttention)
_PAIRS = (  # layers of Keras whose inputs are queries and values
    keras.layers.MultiHeadAttention,
    keras.layers.GroupQueryAttention,
    keras.layers.Attention,
)


@dataclass(frozen=True)
class Stream:
    """A sequence on its way through a model.

    Attributes:
        name: of the input it began as, or of the layer that made it.
        parts: for a sequence that others were put together to, `(stream, first position)` of each;
            the position is counted from the end if it is negative, and it is `None` where it
            depends on the lengths of those before.
        written: how many attention layers had written to it; `None` for all of them. It is the
            same stream, however many.
    """

    name: str
    parts: tuple[tuple["Stream", int | None], ...] = ()
    written: int | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Read:
    """An attention layer's call: `query` positions read those of `key`."""

    path: str
    query: Stream
    key: Stream


@dataclass(frozen=True)
class Readout:
    """How the output comes out of a sequence: its row, or the mean over rows if `None`."""

    stream: Stream
    row: int | None = None


@dataclass
class Streams:
    """The attention of a model in the order of its calls.

    Attributes:
        reads: what each recorded layer reads.
        inputs: the sequence that each input is at first.
        readouts: what the output is made of: one sequence, or several that were put together.
    """

    reads: list[Read] = field(default_factory=list)
    inputs: dict[str, Stream] = field(default_factory=dict)
    readouts: tuple[Readout, ...] = ()


def streams(model: keras.Model, recording: scope.Recording) -> Streams:
    """The streams of a functional model whose weights were recorded.

    Raises:
        ValueError: the model is not functional.
    """
    graph = getattr(model, "_functional", None) or model  # that of a `keras.Sequential`
    if not hasattr(graph, "_nodes_by_depth"):
        raise ValueError(
            f"The model {model.name!r} does not say how its layers are connected. Explanations "
            "that follow its attention need a functional `keras.Model`."
        )
    return _Walk(recording).model(graph)


class _Walk:
    """Follows the streams through a model, and takes each layer's maps in their order.

    What is known of a tensor is its `Stream`, or a tuple of `Readout`s once positions are gone.
    """

    def __init__(self, recording: scope.Recording) -> None:
        self._shapes = {path: x.shape for path, x in recording.maps.items()}
        self._waiting: dict[int, list[str]] = {}  # paths of the calls of each layer
        for path, layer in recording.owners.items():
            self._waiting.setdefault(id(layer), []).append(path)
        self._maps = {key: len(paths) for key, paths in self._waiting.items()}
        self._calls: Counter[int] = Counter()  # nodes that a layer is called in
        self._written: Counter[Stream] = Counter()
        self._names: Counter[str] = Counter()
        self.found = Streams()

    def model(self, model: keras.Model) -> Streams:
        self._count(model)
        begun = {tensor.name: self._begin(tensor.name) for tensor in model.inputs}
        output = self._through(model, list(begun.values()))[0]
        left = [path for paths in self._waiting.values() for path in paths]
        if left:
            raise ValueError(
                f"It is not known what {', '.join(left)} of the model {model.name!r} read. Use a "
                "method that needs no attention, such as `integrated_gradients`."
            )
        self.found.inputs = begun
        self.found.readouts = output if isinstance(output, tuple) else (Readout(output),)
        return self.found

    def _count(self, model: keras.Model) -> None:
        for nodes in model._nodes_by_depth.values():
            for node in nodes:
                if hasattr(node.operation, "_nodes_by_depth"):
                    self._count(node.operation)
                elif isinstance(node.operation, keras.Layer):
                    self._calls.update(id(x) for x in node.operation._flatten_layers())

    def _begin(self, name: str, parts: tuple[tuple[Stream, int | None], ...] = ()) -> Stream:
        """A new stream, under a name that no other has."""
        self._names[name] += 1
        count = self._names[name]
        return Stream(name if count == 1 else f"{name}:{count - 1}", parts, 0)

    def _through(self, model: keras.Model, inputs: Sequence[Any]) -> list[Any]:
        """What is known of a model's outputs, from what is of its inputs."""
        known = {id(t): stream for t, stream in zip(model.inputs, inputs, strict=True)}
        for depth in sorted(model._nodes_by_depth, reverse=True):
            for node in model._nodes_by_depth[depth]:
                if node.is_input or not all(id(t) in known for t in node.input_tensors):
                    continue
                if hasattr(node.operation, "_nodes_by_depth"):
                    given = [known[id(t)] for t in node.input_tensors]
                    found = self._through(node.operation, given)
                else:
                    found = self._after(node, known)
                for tensor, stream in zip(node.output_tensors, found, strict=True):
                    known[id(tensor)] = stream
        return [known[id(tensor)] for tensor in model.outputs]

    def _after(self, node: Any, known: dict[int, Any]) -> list[Any]:
        """What is known of the outputs of a layer or an operation."""
        operation = node.operation
        tensors = [t for t in _in_order(node) if id(t) in known]
        pairs = [(known[id(t)], t) for t in tensors if isinstance(known[id(t)], Stream)]
        pairs = [(s, t) for s, t in pairs if "float" in str(t.dtype)] or pairs
        if not pairs:  # vectors, each of which goes back to its own positions
            readouts = dict.fromkeys(r for t in tensors for r in known[id(t)])
            return [tuple(readouts)] * len(node.output_tensors)
        sequences = [stream for stream, _ in pairs]
        own, others = sequences[0], [s for s in sequences if s != sequences[0]]
        for stream in sequences:  # behind a residual connection is what was written last
            if stream == own and stream.written > own.written:
                own = stream
        if isinstance(operation, layers.ClassToken):
            own = self._begin(operation.name, ((own, 1 + operation.num_registers),))
        elif isinstance(operation, keras.Layer):
            vector = isinstance(operation, _POOLS) or isinstance(known[id(tensors[0])], tuple)
            own = self._attended(operation, own, others, vector)
        own = self._joined(node, sequences) or own
        before = len(pairs[0][1].shape)
        return [
            (Readout(own, _row(node, operation)),)
            if len(tensor.shape) == 2 and (before > 2 or isinstance(operation, _POOLS))
            else own
            for tensor in node.output_tensors
        ]

    def _attended(
        self, operation: keras.Layer, own: Stream, others: list[Stream], vector: bool
    ) -> Stream:
        """The stream behind the attention layers of an operation.

        Args:
            operation: whose layers take their maps.
            own: the stream that it is called with.
            others: further streams that it is called with.
            vector: whether its queries are not positions of `own`.
        """
        calls = [
            (path, layer) for layer in operation._flatten_layers() for path in self._taken(layer)
        ]
        order = {path: i for i, path in enumerate(self._shapes)}
        for path, layer in sorted(calls, key=lambda call: order[call[0]]):
            key = others[0] if self._crosses(layer, operation, others) else own
            shape = self._shapes[path]
            if vector or (key == own and len(shape) == 4 and shape[2] != shape[3]):
                own, vector = self._begin(operation.name), False
            self.found.reads.append(Read(path, own, key))
            self._written[own] += 1
            own = replace(own, written=self._written[own])
        return own

    def _taken(self, layer: keras.Layer) -> list[str]:
        """The maps of a layer in one call of the operation that it is in."""
        waiting = self._waiting.get(id(layer), [])
        count = self._maps.get(id(layer), 0) // self._calls[id(layer)]
        taken, waiting[:] = waiting[:count], waiting[count:]
        return taken

    @staticmethod
    def _crosses(layer: keras.Layer, operation: keras.Layer, others: list[Stream]) -> bool:
        """Whether a layer inside `operation` reads another sequence than it writes to."""
        if not others:
            return False
        if isinstance(layer, _CROSS) or (layer is operation and isinstance(layer, _PAIRS)):
            return True
        return "cross" in layer.path.rsplit("/", 1)[-1]

    def _joined(self, node: Any, sequences: list[Stream]) -> Stream | None:
        """The sequence that several were put together to, one behind the other."""
        if type(node.operation).__name__ not in ("Concatenate", "concatenate"):
            return None
        shapes = [tensor.shape for tensor in node.input_tensors]
        rank = len(shapes[0])
        ids = rank == 2 and "int" in str(node.input_tensors[0].dtype)
        if not (rank == 3 or ids) or node.operation.axis % rank != 1:
            return None
        if len(sequences) != len(shapes):
            return None
        sizes = [shape[1] for shape in shapes]
        parts: list[tuple[Stream, int | None]] = []
        for i, stream in enumerate(sequences):
            before, behind = sizes[:i], sizes[i:]
            first = None if None in before else sum(before)
            if first is None and None not in behind:
                first = -sum(behind)
            parts.append((stream, first))
        return self._begin(node.operation.name, tuple(parts))


def _in_order(node: Any) -> list[keras.KerasTensor]:
    """What goes into a layer, in the order of its parameters: queries before values."""
    names = list(inspect.signature(node.operation.call).parameters)
    named = node.arguments.kwargs
    order = sorted(named, key=lambda name: names.index(name) if name in names else len(names))
    flat = keras.tree.flatten([*node.arguments.args, *(named[name] for name in order)])
    return [x for x in flat if isinstance(x, keras.KerasTensor)]


def _row(node: Any, operation: Any) -> int | None:
    """Which row of a sequence is read: the one of a slice or a pooling; else all, by their mean."""
    if isinstance(operation, layers.AttentionPooling):
        return 0
    if type(operation).__name__ == "GetItem":
        key = node.arguments.args[1]
        # A file's config has lists for tuples.
        index = key[1] if isinstance(key, (tuple, list)) and len(key) > 1 else None
        return index if isinstance(index, int) else None
    return None
