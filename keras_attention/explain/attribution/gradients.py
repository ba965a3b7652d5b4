"""Gradients of a prediction: by attention weights, and by what the elements are made of."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any
from weakref import proxy

import keras
import numpy as np
from keras import ops

from keras_attention import kernels, roles, scope
from keras_attention.explain.attribution.elements import Elements, Tokens
from keras_attention.explain.maps import foreign
from keras_attention.explain.maps.attention_maps import compiled, to_numpy
from keras_attention.kernels import compiled_for


def objective(outputs: Any, target: Any, position: Any) -> Any:
    """Returns the sum of the outputs to explain: that of each input depends on it alone.

    Args:
        outputs: `(B, C)`, or `(B, T, C)` if there is a `position`.
        target: `(B,)`.
        position: `(B,)` or `None`.
    """
    outputs = ops.cast(keras.tree.flatten(outputs)[0], "float32")
    if position is not None:
        chosen = ops.tile(position[:, None, None], (1, 1, outputs.shape[-1]))
        outputs = ops.take_along_axis(outputs, chosen, axis=1)[:, 0]
    return ops.sum(ops.take_along_axis(outputs, target[:, None], axis=1))


def by_weights(
    model: keras.Model, inputs: Any, weights: Mapping[str, Any], target: Any, position: Any
) -> dict[str, np.ndarray]:
    """Returns the gradient of the outputs to explain by the weights of each attention layer.

    As if these were independent of all else.
    """

    def run(model: keras.Model, nudges: Any, inputs: Any, target: Any, position: Any) -> Any:
        with scope.recording(scope.Recording(nudges=nudges)), foreign.recorded():
            outputs = model(inputs, training=False)
        return objective(outputs, target, position)

    zeros = {path: np.zeros(x.shape, np.float32) for path, x in weights.items()}
    return _gradients(model, "weights", run, zeros, inputs, target, position)


class Ground:
    """The floats that elements are made of: embeddings of tokens, else the input itself.

    Attributes:
        values: the floats by name.
        baseline: those of an input without elements: zeros for embeddings.
    """

    def __init__(self, model: keras.Model, elements: Elements) -> None:
        self._model, self._elements = model, elements
        if isinstance(elements, Tokens):
            embeddings = _embeddings(model, elements)
            if not embeddings:
                raise ValueError(
                    f"The model {model.name!r} has no `keras.layers.Embedding` that reads "
                    f"{elements.name or model.inputs[0].name!r}."
                )
            self.values = {name: to_numpy(x) for name, x in embeddings.items()}
            self.baseline = {name: np.zeros_like(x) for name, x in self.values.items()}
        elif elements.array.dtype.kind in "iu":
            raise ValueError(
                f"Categories have no gradient, and {elements.name or model.inputs[0].name!r} has "
                "them. Use `relevance`, or `leave_one_out`, which needs no attention."
            )
        else:
            self.values = {"input": np.nan_to_num(elements.array.astype(np.float32))}
            self.baseline = {"input": np.nan_to_num(elements.baseline().astype(np.float32))}

    def gradients(
        self, values: Mapping[str, np.ndarray], target: Any, position: Any
    ) -> dict[str, np.ndarray]:
        """Returns the gradients of the outputs to explain, at `values`."""
        elements = self._elements
        given_as = elements.name  # not the elements, which the function would keep

        def of_embeddings(
            model: keras.Model, values: Any, inputs: Any, target: Any, position: Any
        ) -> Any:
            with _embedding_calls(model, lambda name, vectors, _: values.get(name, vectors)):
                outputs = model(inputs, training=False)
            return objective(outputs, target, position)

        def of_input(
            model: keras.Model, values: Any, inputs: Any, target: Any, position: Any
        ) -> Any:
            given = inputs if given_as is None else inputs[given_as]
            x = values["input"]
            x = ops.where(ops.isnan(given), ops.cast(given, x.dtype), x)  # padding stays
            inputs = x if given_as is None else {**inputs, given_as: x}
            return objective(model(inputs, training=False), target, position)

        tokens = isinstance(elements, Tokens)
        name = f"embeddings {sorted(values)}" if tokens else f"input {given_as}"
        run = of_embeddings if tokens else of_input
        inputs = elements.inputs
        if not tokens:
            inputs = elements.given(elements.array.astype(np.float32))
        gradients = _gradients(self._model, name, run, values, inputs, target, position)
        return {name: np.nan_to_num(x) for name, x in gradients.items()}


def _gradients(
    model: keras.Model,
    name: str,
    run: Callable,
    values: Mapping[str, np.ndarray],
    inputs: Any,
    target: Any,
    position: Any,
) -> dict[str, np.ndarray]:
    """Returns the gradient of `run(model, values, inputs, target, position)` by `values`."""
    known = compiled_for(model)
    name = f"gradient by {name}"
    if name not in known:
        itself = proxy(model)  # a function that held the model would keep it alive
        known[name] = kernels.compile_gradient(partial(run, itself), model.variables)
    tensors = {path: ops.convert_to_tensor(x, "float32") for path, x in values.items()}
    inputs = keras.tree.map_structure(ops.convert_to_tensor, inputs)
    target = ops.convert_to_tensor(target, "int32")
    position = None if position is None else ops.convert_to_tensor(position, "int32")
    gradients = known[name](tensors, inputs, target, position)
    return {path: to_numpy(x) for path, x in gradients.items()}


def _embeddings(model: keras.Model, elements: Tokens) -> dict[str, Any]:
    """Returns what embeddings make of the elements' ids, by the call.

    They are told by what they read: positions, and tokens of other inputs that share the table,
    are something else.
    """
    given, inputs = [elements.array], elements.inputs
    if isinstance(inputs, Mapping):
        own = {elements.name, *elements.beside}
        given += [inputs[name] for name in elements.beside]
        inputs = {  # a source that is its own target would be taken for it
            name: x if name in own or not _among(x, given) else np.zeros_like(x)
            for name, x in inputs.items()
        }
    known = compiled_for(model)
    if "embeddings" not in known:
        itself = proxy(model)

        def run(inputs: Any) -> dict[str, Any]:
            calls = {}

            def keep(name: str, vectors: Any, ids: Any) -> Any:
                calls[name] = vectors, ids
                return vectors

            with _embedding_calls(itself, keep):
                itself(inputs, training=False)
            return calls

        known["embeddings"] = compiled(run, model)
    calls = known["embeddings"](inputs)
    return {
        name: vectors
        for name, (vectors, ids) in calls.items()
        if _among(ops.convert_to_numpy(ids), given)
    }


def _among(array: np.ndarray, arrays: Sequence[np.ndarray]) -> bool:
    """Whether ids are some of others. Embeddings read padding that is no token, -1, as 0."""
    return any(np.array_equal(np.maximum(array, 0), np.maximum(other, 0)) for other in arrays)


@contextmanager
def _embedding_calls(
    model: keras.Model, function: Callable[[str, Any, Any], Any]
) -> Iterator[None]:
    """Puts `function(name, output, ids)` in the place of what embeddings give for ids."""
    calls: Counter[str] = Counter()

    def patched(layer: keras.Layer) -> Callable:
        original = layer.call

        def call(inputs: Any, *args: Any, **kwargs: Any) -> Any:
            outputs = original(inputs, *args, **kwargs)
            if not keras.backend.is_int_dtype(inputs.dtype):  # vectors to logits
                return outputs
            calls[layer.path] += 1
            vectors = function(f"{layer.path}:{calls[layer.path]}", outputs, inputs)
            return ops.cast(vectors, outputs.dtype)

        return call

    layers = list(filter(roles.embeds_ids, model._flatten_layers()))
    for layer in layers:  # past Keras, for which an attribute of a layer is a part of it
        object.__setattr__(layer, "call", patched(layer))
    try:
        yield
    finally:
        for layer in layers:
            object.__delattr__(layer, "call")
