"""Which sequence each attention layer of a model reads, and which one it writes to.

Explanations that follow attention through a model must know that. A functional model tells: what
comes out of a layer is the sequence that its first input was, until a pooling or a class token
makes another one. What a layer does to a sequence it says itself, see `keras_attention.roles`.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import keras

from keras_attention import roles, scope
from keras_attention.explain.maps import graph
from keras_attention.explain.maps.stream import Read, Readout, Stream, Streams

_REMEDY = (
    "Let it say so, see `keras_attention.roles`; or use a method that needs no attention, such as "
    "`integrated_gradients`."
)
_ROWS = {"first": 0, "last": -1}  # of what is not padding, by what a layer reads


def streams(model: keras.Model, recording: scope.Recording) -> Streams:
    """Returns the streams of a functional model whose weights were recorded.

    Raises:
        ValueError: the model is not functional, or a layer does not say what it does to a sequence.
    """
    functional = graph.graph_of(model)
    if functional is None:
        raise ValueError(
            f"The model {model.name!r} does not say how its layers are connected. Explanations "
            "that follow its attention need a functional `keras.Model`."
        )
    return _Walk(recording).through(functional)


class _Walk:
    """Follows the streams through a model, and takes each layer's maps in their order.

    What is known of a tensor is its `Stream`, or a tuple of `Readout`s once positions are gone.
    """

    def __init__(self, recording: scope.Recording) -> None:
        self._shapes = {path: x.shape for path, x in recording.maps.items()}
        self._order = {path: number for number, path in enumerate(recording.maps)}
        self._crossing = recording.crossing
        self._waiting: dict[int, list[str]] = {}  # paths of the calls of each layer
        for path, layer in recording.owners.items():
            self._waiting.setdefault(id(layer), []).append(path)
        self._num_maps = {key: len(paths) for key, paths in self._waiting.items()}
        self._num_calls: Counter[int] = Counter()  # of each layer in the graph
        self._written: Counter[Stream] = Counter()
        self._names: Counter[str] = Counter()
        self._reads: list[Read] = []

    def through(self, model: Any) -> Streams:
        """Returns the streams of the whole model."""
        self._count_calls(model)
        inputs = {tensor.name: self._begin(tensor.name) for tensor in model.inputs}
        output = self._outputs(model, list(inputs.values()))[0]
        left = [path for paths in self._waiting.values() for path in paths]
        if left:
            raise ValueError(
                f"It is not known what {', '.join(left)} of the model {model.name!r} read. Use a "
                "method that needs no attention, such as `integrated_gradients`."
            )
        readouts = output if isinstance(output, tuple) else (Readout(output),)
        for readout in readouts:
            if readout.unknown:
                raise ValueError(
                    f"The layer {readout.unknown} makes a vector of the sequence "
                    f"{readout.stream.name!r}, and how much of each position is not known. "
                    f"{_REMEDY}"
                )
        return Streams(self._reads, inputs, readouts)

    def _count_calls(self, model: Any) -> None:
        for call in graph.calls(model):
            inner = graph.graph_of(call.operation)
            if inner is not None:
                self._count_calls(inner)
            elif isinstance(call.operation, keras.Layer):
                self._num_calls.update(id(x) for x in call.operation._flatten_layers())

    def _begin(self, name: str, parts: tuple[tuple[Stream, int | None], ...] = ()) -> Stream:
        """Returns a new stream, under a name that no other has."""
        self._names[name] += 1
        count = self._names[name]
        return Stream(name if count == 1 else f"{name}:{count - 1}", parts, 0)

    def _outputs(self, model: Any, inputs: Sequence[Any]) -> list[Any]:
        """Returns what is known of a model's outputs, from what is of its inputs."""
        known = {id(t): stream for t, stream in zip(model.inputs, inputs, strict=True)}
        for call in graph.calls(model):
            if not all(id(t) in known for t in call.input_tensors):
                continue
            inner = graph.graph_of(call.operation)
            if inner is not None:
                outputs = self._outputs(inner, [known[id(t)] for t in call.input_tensors])
            else:
                outputs = self._after(call, known)
            known |= zip(map(id, call.output_tensors), outputs, strict=True)
        return [known[id(tensor)] for tensor in model.outputs]

    def _after(self, call: Any, known: dict[int, Any]) -> list[Any]:
        """Returns what is known of the outputs of a layer or an operation."""
        operation = call.operation
        tensors = [t for t in graph.tensors_in_order(call) if id(t) in known]
        pairs = [(known[id(t)], t) for t in tensors if isinstance(known[id(t)], Stream)]
        pairs = [(s, t) for s, t in pairs if "float" in str(t.dtype)] or pairs
        if not pairs:  # vectors, each of which goes back to its own positions
            readouts = dict.fromkeys(r for t in tensors for r in known[id(t)])
            return [tuple(readouts)] * len(call.output_tensors)
        sequences = [stream for stream, _ in pairs]
        given, others = sequences[0], [s for s in sequences if s != sequences[0]]
        for stream in sequences:  # behind a residual connection is what was written last
            if stream == given and stream.written > given.written:
                given = stream
        own = given
        if roles.prepends(operation):
            own = self._begin(operation.name, ((given, roles.prepends(operation)),))
        elif isinstance(operation, keras.Layer):
            own = self._attend(operation, given, others, isinstance(known[id(tensors[0])], tuple))
        own = self._join(call, sequences) or own
        readout = _readout(call, own, made=own != given)
        rank = len(pairs[0][1].shape)
        return [
            (readout,) if len(tensor.shape) == 2 and rank > 2 else own
            for tensor in call.output_tensors
        ]

    def _attend(
        self, operation: keras.Layer, own: Stream, others: list[Stream], vector: bool
    ) -> Stream:
        """Returns the stream behind the attention layers of an operation.

        Args:
            operation: whose layers take their maps.
            own: the stream that it is called with.
            others: further streams that it is called with.
            vector: whether it is called with a vector first, which is a query of its own.
        """
        maps = [
            (path, layer) for layer in operation._flatten_layers() for path in self._take(layer)
        ]
        for path, layer in sorted(maps, key=lambda item: self._order[item[0]]):
            reads = roles.reads(layer)
            if reads is None:
                raise ValueError(
                    f"The layer {path!r} ({type(layer).__name__}) has attention weights, and of "
                    f"which positions is not known. {_REMEDY}"
                )
            crosses = reads == "memory" or (reads == "call" and path in self._crossing)
            key = others[0] if others and crosses else own
            _, _, *lengths = self._shapes[path]
            if vector or reads == "pool" or (key == own and len({*lengths}) > 1):
                own, vector = self._begin(operation.name), False
            self._reads.append(Read(path, own, key))
            self._written[own] += 1
            own = replace(own, written=self._written[own])
        return own

    def _take(self, layer: keras.Layer) -> list[str]:
        """Returns the maps of a layer in one call of the operation that it is in."""
        waiting = self._waiting.get(id(layer), [])
        count = self._num_maps.get(id(layer), 0) // self._num_calls[id(layer)]
        taken, waiting[:] = waiting[:count], waiting[count:]
        return taken

    def _join(self, call: Any, sequences: list[Stream]) -> Stream | None:
        """Returns the sequence that several are put together to, or `None` if they are not."""
        operation = call.operation
        joins = isinstance(operation, keras.layers.Concatenate)
        if not (joins or graph.is_function(operation, "Concatenate")):
            return None
        shapes = [tensor.shape for tensor in call.input_tensors]
        rank = len(shapes[0])
        ids = rank == 2 and "int" in str(call.input_tensors[0].dtype)
        if not (rank == 3 or ids) or operation.axis % rank != 1:
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
        return self._begin(operation.name, tuple(parts))


def _readout(call: Any, stream: Stream, made: bool) -> Readout:
    """Returns how a call makes a vector of a sequence.

    Args:
        call: of the layer or the operation.
        stream: the sequence.
        made: whether the call made it, as a query that is not one of the positions.
    """
    operation = call.operation
    reads = roles.reads(operation)
    if made:
        return Readout(stream, 0 if reads == "pool" else None)
    if graph.is_function(operation, "GetItem"):
        key = call.arguments.args[1]
        # A file's config has lists for tuples.
        index = key[1] if isinstance(key, (tuple, list)) and len(key) > 1 else None
        return Readout(stream, index if isinstance(index, int) else None)
    if reads in _ROWS:
        return Readout(stream, _ROWS[reads], unpadded=True)
    if isinstance(operation, keras.Layer) and reads != "mean":
        return Readout(stream, unknown=f"{operation.name!r} ({type(operation).__name__})")
    return Readout(stream)
