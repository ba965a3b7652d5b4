"""A functional model cut in two: what is computed once, and what is computed for each token."""

import threading
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_attention import prediction, roles
from keras_attention.kernels import compiled_for
from keras_attention.types import Float, Int, Tensor

_lock = threading.RLock()


class Parts:
    """A language model, or an encoder and its decoder.

    The decoder's input is the only one, or that with the name `target_ids`. Whatever does not
    depend on it is computed once per prompt.

    Args:
        model: functional, from token ids `(B, T)`, and perhaps sources, to logits `(B, T, V)`.

    Attributes:
        target: name of the decoder's input.
        sources: names of the other inputs.
        encoders: the `roles.Encoder`, or `None`, by the name of the input.
        name: of the model.
        vocabulary_size: V.
        variables: of the model.
        context: how many positions prompt and continuation may have together, or `None`.
        source_limit: how many positions a source may have, or `None`.
        length: how many positions the decoder always has, or `None` where any number will do.
        masked: ids that are padding to the model, by the name of the input.
        padding: the id that fills rows up, by the name of the input: that of the layer which
            encodes it, which is -1 where padding is no token; else 0.
        ends: ids that end a text.
        decoder_layers: those of the decoder, inner ones too.
        cross_attention: paths of the decoder's attention layers that say they read a memory.

    Raises:
        ValueError: the model is none of these.
    """

    def __init__(self, model: keras.Model) -> None:
        names = [tensor.name for tensor in getattr(model, "inputs", ())]
        if len(names) != 1 and "target_ids" not in names:
            raise ValueError(
                "Generation needs a functional model with one input, or with one that is called "
                f"'target_ids'. Received: the model {model.name!r} with the inputs {names}"
            )
        self.target = names[0] if len(names) == 1 else "target_ids"
        self.sources = [name for name in names if name != self.target]
        self.encoders = prediction.encoders(model)
        target = model.inputs[names.index(self.target)]
        if len(model.outputs) != 1 or len(model.outputs[0].shape) != 3 or len(target.shape) != 2:
            shapes = [tuple(output.shape) for output in model.outputs]
            raise ValueError(
                "Generation needs a model from token ids (B, T) to logits (B, T, V). Received: the "
                f"model {model.name!r} from {self.target!r} of shape {tuple(target.shape)} to "
                f"outputs of shapes {shapes}"
            )
        self.name = model.name
        self.vocabulary_size = model.outputs[0].shape[-1]
        self.variables = list(model.variables)
        memory, self._tensors = _cut(model.outputs, target)
        sources = [tensor for tensor in model.inputs if tensor is not target]
        self._encoder = Part(sources, memory) if memory else None
        self._target, self._memory = target, memory
        self._decoder = self._model_of(model.outputs[0])
        self.decoder_layers = list(self._decoder._flatten_layers(include_self=False))
        encoder_layers = (
            [] if self._encoder is None else self._encoder._flatten_layers(include_self=False)
        )
        self.length = target.shape[1]
        limits = [roles.num_positions(self.decoder_layers), self.length]
        limits.append(None if self.tokenizer is None else self.tokenizer.max_length)
        self.context = min((limit for limit in limits if limit is not None), default=None)
        self.source_limit = roles.num_positions(encoder_layers)
        self.masked = {
            tensor.name: _masked_ids(model, tensor, self.vocabulary_size)
            for tensor in model.inputs
            if len(tensor.shape) == 2 and not keras.backend.is_float_dtype(tensor.dtype)
        }
        self.padding = {name: roles.padding_id(encoder) for name, encoder in self.encoders.items()}
        self.ends = roles.end_ids(self.tokenizer)
        self.cross_attention = {
            layer.path for layer in self.decoder_layers if roles.reads(layer) == "memory"
        }

    @property
    def tokenizer(self) -> roles.Vocabulary | None:
        """The layer that makes the decoder's ids of texts, or `None`."""
        return roles.vocabulary(self.encoders[self.target])

    def memory(self, sources: list[Tensor]) -> dict[str, Tensor]:
        """Returns what the decoder needs of the sources: tensors, and masks where there are any."""
        if self._encoder is None:
            return {}
        outputs = self._encoder(sources if len(sources) > 1 else sources[0], training=False)
        outputs = outputs if isinstance(outputs, list | tuple) else [outputs]
        memory = {}
        for i, tensor in enumerate(outputs):
            memory[f"tensor_{i}"] = tensor
            mask = getattr(tensor, "_keras_mask", None)
            if mask is not None:
                memory[f"mask_{i}"] = mask
        return memory

    def logits(
        self, token_ids: Int[Tensor, "B T"], memory: dict[str, Tensor]
    ) -> Float[Tensor, "B T V"]:
        """Returns logits after each of the tokens."""
        return self._call(self._decoder, token_ids, memory)

    def inside(
        self, token_ids: Int[Tensor, "B T"], memory: dict[str, Tensor]
    ) -> list[tuple[Any, np.ndarray]]:
        """Returns the operations of the decoder in order, and what each makes of the tokens."""
        operations = [tensor._keras_history.operation for tensor in self._tensors]
        outputs = self._call(self._model_of(self._tensors), token_ids, memory)
        arrays = [np.asarray(ops.convert_to_numpy(ops.cast(x, "float32"))) for x in outputs]
        return list(zip(operations, arrays, strict=True))

    def _call(self, decoder: keras.Model, token_ids: Tensor, memory: dict) -> Any:
        inputs, given = [token_ids], [None]
        while f"tensor_{len(inputs) - 1}" in memory:
            number = len(inputs) - 1
            inputs.append(memory[f"tensor_{number}"])
            given.append(memory.get(f"mask_{number}"))
        if self._encoder is None:
            return decoder(token_ids, training=False)
        return decoder(inputs, training=False, mask=given)

    def _model_of(self, outputs: Any) -> keras.Model:
        """Returns the model from the decoder's input and its memory to tensors of its graph."""
        history = self._target._keras_history
        decoder = Part([self._target, *self._memory], outputs)
        # Keras has made the input that of its copy of the graph: the model could not be saved.
        self._target._keras_history = history
        return decoder


class Part(keras.Model):
    """A part of a model's graph, whose layers pass masks on.

    Keras warns of a mask that goes into a model within a model, since it cannot know that.
    """

    def compute_mask(self, inputs: Any, previous_mask: Any) -> None:
        """Returns no mask: the outputs have theirs."""


def parts_of(model: keras.Model) -> Parts:
    """Returns the parts of a model, made once as long as it stays as it is."""
    known = compiled_for(model)
    with _lock:  # which no two may make at once: for a moment they change the model's graph
        if "parts" not in known:
            known["parts"] = Parts(model)
        return known["parts"]


def _cut(outputs: list, target: Any) -> tuple[list, list]:
    """Cuts a graph between what depends on `target` and what does not.

    Returns:
        The tensors that do not depend on it and go to operations that do; and those that do, in
        their order.
    """
    depends: dict[int, bool] = {id(target): True}
    order: list = []

    def visit(tensor: Any) -> bool:
        if id(tensor) not in depends:
            depends[id(tensor)] = False  # an input of its own
            node = _node(tensor)
            depends[id(tensor)] = any([visit(source) for source in node.input_tensors])
            order.append(tensor)
        return depends[id(tensor)]

    for output in outputs:
        if not visit(output):
            raise ValueError("The outputs of the model do not depend on its token ids.")
    boundary: dict[int, Any] = {}
    dependent = [tensor for tensor in order if depends[id(tensor)]]
    for tensor in dependent:
        for source in _node(tensor).input_tensors:
            if not depends[id(source)]:
                boundary[id(source)] = source
    return list(boundary.values()), dependent


def _masked_ids(model: keras.Model, tensor: Any, size: int) -> frozenset[int]:
    """Returns the ids from -1 to `size` that the layers which read an input mask, wherever they
    are."""
    masked: set[int] = set()
    for layer in model.layers:
        for node in layer._inbound_nodes:
            places = [i for i, other in enumerate(node.input_tensors) if other is tensor]
            if not places or isinstance(layer, keras.layers.InputLayer):
                continue
            if isinstance(layer, keras.Model):
                if isinstance(layer.inputs, list):  # a functional one
                    masked |= _masked_ids(layer, layer.inputs[places[0]], size)
            elif layer.supports_masking and len(node.input_tensors) == 1:
                ids = np.arange(-1, size, dtype="int32")
                mask = layer.compute_mask(ops.convert_to_tensor(ids[None]), None)
                if mask is not None:
                    masked.update(ids[~ops.convert_to_numpy(mask)[0]].tolist())
    return frozenset(masked)


def _node(tensor: Any) -> Any:
    operation, node_index, _ = tensor._keras_history
    return operation._inbound_nodes[node_index]
