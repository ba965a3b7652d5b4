"""A functional model cut in two: what is computed once, and what is computed for each token."""

from typing import Any

import keras
from keras import ops

from keras_attention import prediction, scope
from keras_attention.layers.memory_attention import MemoryAttention
from keras_attention.layers.multi_head_cross_attention import MultiHeadCrossAttention
from keras_attention.layers.positional_encoding import PositionalEncoding

Tensor = Any

_MIXES = (
    keras.layers.RNN,
    keras.layers.Bidirectional,
    keras.layers.MultiHeadAttention,
    keras.layers.GroupQueryAttention,
    keras.layers.Attention,
    keras.layers.AdditiveAttention,
    keras.layers.Conv1D,
    keras.layers.SeparableConv1D,
    keras.layers.DepthwiseConv1D,
)


class Parts:
    """A language model, or an encoder and its decoder.

    The decoder's input is the only one, or that with the name `target_ids`. Whatever does not
    depend on it is computed once per prompt.

    Args:
        model: functional, from token ids `(B, T)`, and perhaps sources, to logits `(B, T, V)`.

    Attributes:
        target: name of the decoder's input.
        sources: names of the other inputs.
        encoders: the layer that encodes raw values, or `None`, by the name of the input.
        vocabulary_size: V.
        variables: of the model.
        context: how many positions prompt and continuation may have together, or `None`.
        decoder_layers: those of the decoder, inner ones too.
        cross_attention: paths of the decoder's attention layers that have a memory.

    Raises:
        ValueError: the model is none of these, or a layer of Keras mixes positions of its decoder,
            which knows nothing of the cache.
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
        self.vocabulary_size = model.outputs[0].shape[-1]
        self.variables = list(model.variables)
        memory = _boundary(model.outputs, target)
        sources = [tensor for tensor in model.inputs if tensor is not target]
        self._encoder = keras.Model(sources, memory) if memory else None
        history = target._keras_history
        self._decoder = keras.Model([target, *memory], model.outputs[0])
        # Keras has made the input that of its copy of the graph: `model` could not be saved.
        target._keras_history = history
        _check_layers(self._decoder, keras.Model(sources, memory).layers if memory else [])
        limits = [
            layer.max_length
            for layer in self._decoder.layers
            if isinstance(layer, PositionalEncoding)
            and isinstance(layer.max_length, int)
            and (self._encoder is None or layer not in self._encoder.layers)
        ]
        tokenizer = self.tokenizer
        if tokenizer is not None and tokenizer.max_length is not None:
            limits.append(tokenizer.max_length)
        self.context = min(limits, default=None)
        self.decoder_layers = list(self._decoder._flatten_layers())
        self.cross_attention = {
            layer.path
            for layer in self.decoder_layers
            if isinstance(layer, MultiHeadCrossAttention | MemoryAttention)
        }

    @property
    def tokenizer(self) -> Any:
        """The layer that encodes the decoder's input, or `None`."""
        return self.encoders[self.target]

    def memory(self, sources: list[Tensor]) -> dict[str, Tensor]:
        """What the decoder needs of the sources: tensors, and their masks where they have any."""
        if self._encoder is None:
            return {}
        outputs = self._encoder(sources if len(sources) > 1 else sources[0], training=False)
        outputs = outputs if isinstance(outputs, list | tuple) else [outputs]
        found = {}
        for i, tensor in enumerate(outputs):
            found[f"tensor_{i}"] = tensor
            mask = getattr(tensor, "_keras_mask", None)
            if mask is not None:
                found[f"mask_{i}"] = mask
        return found

    def begin(
        self, token_ids: Tensor, padding_mask: Tensor | None, memory: dict, room: int
    ) -> tuple[Tensor, dict]:
        """Logits `(B, V)` after the prompt, float32, and the state of the cache."""
        with scope.cache(max_length=room, padding_mask=padding_mask) as cache:
            logits = self._logits(token_ids, memory)
        return logits, cache.state

    def step(
        self, token: Tensor, memory: dict, state: dict, index: Any
    ) -> tuple[Tensor, dict, list[str]]:
        """Logits `(B, V)` after the token `(B,)` at position `index`, the state, and the keys of
        it that were written, which are what differs between beams."""
        with scope.cache(state, index=index, in_place=True) as cache:
            logits = self._logits(token[:, None], memory)
        return logits, cache.state, cache.written

    def _logits(self, token_ids: Tensor, memory: dict) -> Tensor:
        inputs, given = [token_ids], [None]
        while f"tensor_{len(inputs) - 1}" in memory:
            number = len(inputs) - 1
            inputs.append(memory[f"tensor_{number}"])
            given.append(memory.get(f"mask_{number}"))
        if self._encoder is None:
            logits = self._decoder(token_ids, training=False)
        else:
            logits = self._decoder(inputs, training=False, mask=given)
        return ops.cast(logits[:, -1], "float32")


def _boundary(outputs: list, target: Any) -> list:
    """The tensors that do not depend on `target` and go to operations that do."""
    depends: dict[int, bool] = {id(target): True}
    order: list = []

    def visit(tensor: Any) -> bool:
        if id(tensor) not in depends:
            depends[id(tensor)] = False  # an input of its own
            node = _node(tensor)
            found = [visit(source) for source in node.input_tensors]
            depends[id(tensor)] = any(found)
            order.append(tensor)
        return depends[id(tensor)]

    for output in outputs:
        if not visit(output):
            raise ValueError("The outputs of the model do not depend on its token ids.")
    boundary: dict[int, Any] = {}
    for tensor in order:
        if depends[id(tensor)]:
            for source in _node(tensor).input_tensors:
                if not depends[id(source)]:
                    boundary[id(source)] = source
    return list(boundary.values())


def _node(tensor: Any) -> Any:
    operation, node_index, _ = tensor._keras_history
    return operation._inbound_nodes[node_index]


def _check_layers(decoder: keras.Model, encoder: list) -> None:
    for layer in decoder.layers:
        if isinstance(layer, keras.Model):
            _check_layers(layer, [])
        elif isinstance(layer, _MIXES) and layer not in encoder:
            raise ValueError(
                "The decoder must see new tokens alone and continue from a cache, which the layer "
                f"{layer.name!r} ({type(layer).__name__}) of Keras does not know. Use the layers "
                "of keras_attention: MultiHeadSelfAttention(causal=True), TransformerBlock("
                "causal=True), MultiHeadCrossAttention, RecurrentDecoder."
            )
