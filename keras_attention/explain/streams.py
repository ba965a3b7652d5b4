"""Which sequence each attention layer of a model reads, and which one it writes to.

Explanations that follow attention through a model must know that. A functional model tells: what
comes out of a layer is the sequence that its first input was, until a pooling or a class token
makes another one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import keras

from keras_attention import layers, scope

_POOLS = (layers.AttentionPooling, layers.SegmentPooling)
_AVERAGES = (keras.layers.GlobalAveragePooling1D,)
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
            the position is counted from the end if it is negative.
    """

    name: str
    parts: tuple[tuple["Stream", int | None], ...] = ()


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
    row: int | None


@dataclass
class Streams:
    """The attention of a model in the order of its calls.

    Attributes:
        reads: what each recorded layer reads.
        inputs: the sequence that each input is at first.
        readout: of the model's output; `None` where each position has an output.
        output: the sequence of the output.
    """

    reads: list[Read] = field(default_factory=list)
    inputs: dict[str, Stream] = field(default_factory=dict)
    readout: Readout | None = None
    output: Stream | None = None


def streams(model: keras.Model, recording: scope.Recording) -> Streams:
    """The streams of a functional model whose weights were recorded.

    Raises:
        ValueError: the model is not functional.
    """
    if not hasattr(model, "_nodes_by_depth"):
        raise ValueError(
            f"The model {model.name!r} does not say how its layers are connected. Explanations "
            "that follow its attention need a functional `keras.Model`."
        )
    return _Walk(recording).model(model)


class _Walk:
    """Follows the streams through a model, and takes each layer's maps in their order."""

    def __init__(self, recording: scope.Recording) -> None:
        self._recording = recording
        self._waiting: dict[int, list[str]] = {}  # paths of the calls of each layer
        for path, layer in recording.owners.items():
            self._waiting.setdefault(id(layer), []).append(path)
        self.found = Streams()

    def model(self, model: keras.Model) -> Streams:
        begun = {tensor.name: Stream(tensor.name) for tensor in model.inputs}
        outputs = self._through(model, list(begun.values()))
        self.found.inputs = begun
        if isinstance(outputs[0], Readout):
            self.found.readout = outputs[0]
        self.found.output = outputs[0].stream if self.found.readout else outputs[0]
        return self.found

    def _through(self, model: keras.Model, inputs: Sequence[Any]) -> list[Any]:
        """Streams or readouts of a model's outputs, from those of its inputs."""
        known = {id(t): stream for t, stream in zip(model.inputs, inputs, strict=True)}
        for depth in sorted(model._nodes_by_depth, reverse=True):
            for node in model._nodes_by_depth[depth]:
                if node.is_input or not all(id(t) in known for t in node.input_tensors):
                    continue
                given = [known[id(t)] for t in node.input_tensors]
                if hasattr(node.operation, "_nodes_by_depth"):
                    found = self._through(node.operation, given)
                else:
                    found = [self._after(node, given)] * len(node.output_tensors)
                for tensor, stream in zip(node.output_tensors, found, strict=True):
                    known[id(tensor)] = stream
        return [known[id(tensor)] for tensor in model.outputs]

    def _after(self, node: Any, given: list[Any]) -> Any:
        """The stream behind a layer or an operation."""
        operation = node.operation
        sequences = [
            stream
            for stream, tensor in zip(given, node.input_tensors, strict=True)
            if isinstance(stream, Stream) and "float" in str(tensor.dtype)
        ] or [stream for stream in given if isinstance(stream, Stream)]
        if not sequences:
            return given[0]
        own, others = sequences[0], [s for s in sequences[1:] if s != sequences[0]]
        if isinstance(operation, _POOLS):
            pooled = Stream(operation.name)
            self._read(operation, pooled, own)
            own = pooled
        elif isinstance(operation, layers.ClassToken):
            own = Stream(operation.name, ((own, 1 + operation.num_registers),))
        elif isinstance(operation, keras.Layer):
            for layer in operation._flatten_layers():
                self._read(
                    layer, own, others[0] if self._crosses(layer, operation, others) else own
                )
        joined = self._joined(node, sequences)
        if joined is not None:
            return joined
        before, after = len(node.input_tensors[0].shape), len(node.output_tensors[0].shape)
        if after == 2 and (before > 2 or isinstance(operation, _POOLS)):
            return Readout(own, _row(node, operation))
        return own

    def _read(self, layer: keras.Layer, query: Stream, key: Stream) -> None:
        waiting = self._waiting.get(id(layer))
        if waiting:
            self.found.reads.append(Read(waiting.pop(0), query, key))

    def _crosses(self, layer: keras.Layer, operation: keras.Layer, others: list[Stream]) -> bool:
        """Whether a layer inside `operation` reads another sequence than it writes to."""
        if not others or id(layer) not in self._waiting:
            return False
        if isinstance(layer, _CROSS) or (layer is operation and isinstance(layer, _PAIRS)):
            return True
        return "cross" in layer.path.rsplit("/", 1)[-1]

    @staticmethod
    def _joined(node: Any, sequences: list[Stream]) -> Stream | None:
        """The sequence that several were put together to, one behind the other."""
        if type(node.operation).__name__ not in ("Concatenate", "concatenate"):
            return None
        shapes = [tensor.shape for tensor in node.input_tensors]
        rank = len(shapes[0])
        if rank != 3 or node.operation.axis % rank != 1 or len(sequences) != len(shapes):
            return None
        parts, first = [], 0
        for stream, shape in zip(sequences, shapes, strict=True):
            parts.append((stream, first))
            if first is not None:
                first = None if shape[1] is None else first + shape[1]
        return Stream(node.operation.name, tuple(parts))


def _row(node: Any, operation: Any) -> int | None:
    """Which row of a sequence is read: the one of a slice or a pooling; else all, by their mean."""
    if isinstance(operation, layers.AttentionPooling):
        return 0
    if type(operation).__name__ == "GetItem":
        key = node.arguments.args[1]
        index = key[1] if isinstance(key, tuple) and len(key) > 1 else None
        return index if isinstance(index, int) else None
    return None
