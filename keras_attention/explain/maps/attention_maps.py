"""The attention weights of a model, in one call."""

import os
import warnings
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from weakref import WeakValueDictionary, proxy

import keras
import numpy as np
from keras import ops

from keras_attention import kernels, roles, scope
from keras_attention.explain.maps import foreign
from keras_attention.kernels import compiled_for
from keras_attention.prediction import encode

# Of the largest output, what rounding may change on the way through a deep model.
_ROUNDING = {"float64": 1e-8, "float32": 1e-4, "float16": 2e-2, "bfloat16": 1e-1}


def attention_maps(
    model: keras.Model,
    inputs: Any,
    *,
    layers: Sequence[str] | str | None = None,
    heads: Sequence[int] | int | None = None,
    queries: Sequence[int] | int | None = None,
) -> dict[str, np.ndarray]:
    """Returns the weights of every attention layer of a Keras model, for a batch of inputs.

    ```python
    maps = ka.explain.attention_maps(model, ["what is my balance"])
    maps["block_0/attention"]  # (B, N, T, S)
    ```

    Of this package's layers, and of `keras.layers.MultiHeadAttention`, `GroupQueryAttention`,
    `Attention`, `AdditiveAttention` and what is derived from them, as in KerasHub's
    `TransformerEncoder` and `TransformerDecoder`, and of a layer of your own that calls
    `scope.record`; inside blocks, nested models and wrappers. The model may be compiled, fused
    kernels may be on; it stays as it is.

    The model runs twice, on its own path and while weights are recorded, and both must predict
    the same.

    Args:
        model: trained or loaded.
        inputs: a batch: arrays as the model takes them, or raw values as `ka.encode` does.
        layers: paths, beginnings of paths (`"block_0"`) or patterns (`"*/cross_attention"`) of the
            layers; all if `None`.
        heads: indices of heads; all if `None`. Layers with one head keep it.
        queries: indices of queries, negative ones from the end; all if `None`. A long input then
            costs `len(queries)` x S rather than T x S. Layers with one query keep it, graphs all
            edges.

    Returns:
        By layer path, in the order of the calls: `(B, N, T, S)`, of graph attention `(B, N, E)` in
        the order of the edges. A layer that is called again has `path:1`, `path:2` as well.

    Raises:
        ValueError: no layer recorded anything; or it has no such head or query.
        RuntimeError: the prediction made while recording is another one.
    """
    recording = record(
        model,
        arrays(model, inputs),
        layers=as_list(layers),
        heads=as_list(heads),
        queries=as_list(queries),
    )
    return {path: to_numpy(recording.maps.pop(path)) for path in list(recording.maps)}


def predicted(model: keras.Model, inputs: Any) -> Any:
    """Returns the outputs of `model` for arrays, with their masks."""
    known = compiled_for(model)
    if "predicted" not in known:
        itself = proxy(model)  # a function that held the model would keep it alive
        known["predicted"] = compiled(
            lambda inputs: _with_masks(itself(inputs, training=False)), model
        )
    return _attach_masks(*known["predicted"](inputs))


def record(
    model: keras.Model, inputs: Any, *, expected: Any = None, **wanted: Any
) -> scope.Recording:
    """Returns what the attention layers of `model` record for arrays, and checks their prediction.

    `expected` are the model's outputs if they are known.
    """
    if expected is None:
        expected = predicted(model, inputs)
    known = compiled_for(model)
    key = repr({name: np.asarray(x).tolist() for name, x in wanted.items()})
    if key not in known:
        known[key] = _recording_pass(model, wanted)
    outputs, recording = known[key](inputs)
    _check(model, expected, outputs)
    _name_missing(model, recording)
    if not recording.maps:
        chosen = "" if wanted.get("layers") is None else f" that `layers` names: {wanted['layers']}"
        raise ValueError(f"The model {model.name!r} has no attention layer{chosen}.")
    return recording


def _recording_pass(model: keras.Model, wanted: Mapping[str, Any]) -> Callable:
    """Returns a function of inputs to outputs and a `Recording`."""
    itself = proxy(model)
    owners: WeakValueDictionary[str, keras.Layer] = WeakValueDictionary()
    crossing: set[str] = set()

    def run(inputs: Any) -> tuple[Any, OrderedDict[str, Any]]:
        with scope.recording(scope.Recording(**wanted)) as recording, foreign.recorded():
            outputs = itself(inputs, training=False)
        owners.update(recording.owners)
        crossing.update(recording.crossing)
        return _with_masks(outputs), OrderedDict(recording.maps)  # whose order JAX keeps

    function = compiled(run, model)

    def recorded(inputs: Any) -> tuple[Any, scope.Recording]:
        outputs, maps = function(inputs)
        recording = scope.Recording(**wanted)
        recording.maps = dict(maps)
        recording.owners = {path: owners[path] for path in maps}
        recording.crossing = crossing & set(maps)
        return _attach_masks(*outputs), recording

    return recorded


def compiled(function: Callable, model: keras.Model) -> Callable:
    """Returns `function`, which calls `model`, compiled; as it is while the model is not built."""
    built = all(layer.built for layer in model._flatten_layers())
    return kernels.compile_inference(function, model.variables) if built else function


class _Mask(keras.layers.Layer):
    """The mask that Keras attached to a tensor: inside a compiled function it is no attribute."""

    def __init__(self) -> None:
        super().__init__()
        self.supports_masking = True

    def call(self, tensor: Any, mask: Any = None) -> Any:
        return mask


def _with_masks(outputs: Any) -> tuple[Any, list[Any]]:
    """Returns outputs, and their masks, which a compiled function loses."""
    return outputs, list(map(_Mask(), keras.tree.flatten(outputs)))


def _attach_masks(outputs: Any, masks: list[Any]) -> Any:
    for output, mask in zip(keras.tree.flatten(outputs), masks, strict=True):
        if mask is not None:
            output._keras_mask = mask
    return outputs


def arrays(model: keras.Model, inputs: Any) -> Any:
    """Returns `inputs` as the model takes them."""
    return encode(model, inputs) if _is_raw(inputs) else inputs


def to_numpy(tensor: Any) -> np.ndarray:
    """Returns a tensor of whatever dtype as float32."""
    return np.asarray(ops.convert_to_numpy(ops.cast(tensor, "float32")))


def _is_raw(inputs: Any) -> bool:
    """Whether these are texts, paths and the like, rather than arrays."""
    if isinstance(inputs, Mapping):
        return any(map(_is_raw, inputs.values()))
    if isinstance(inputs, (list, tuple)):
        return bool(inputs) and _is_raw(inputs[0])
    kind = getattr(getattr(inputs, "dtype", None), "kind", "")
    return isinstance(inputs, (str, os.PathLike)) or kind in ("O", "U", "T")


def as_list(indices: Any) -> Any:
    """Returns a list of one index or path; other values as they are."""
    return [indices] if isinstance(indices, (str, int, np.integer)) else indices


def _check(model: keras.Model, expected: Any, outputs: Any) -> None:
    """Raises `RuntimeError` if outputs are not those that are expected."""
    layers = model._flatten_layers()
    coarsest = max((_ROUNDING.get(layer.compute_dtype, 0) for layer in layers), default=0)
    for a, b in zip(keras.tree.flatten(expected), keras.tree.flatten(outputs), strict=True):
        real = keras.backend.is_float_dtype(keras.backend.standardize_dtype(a.dtype))
        allowed = coarsest if real else 0
        mask = getattr(a, "_keras_mask", None)  # what is padding is no prediction
        a, b = to_numpy(a), to_numpy(b)
        if mask is not None:
            mask = np.asarray(ops.convert_to_numpy(mask))
            a, b = a[mask], b[mask]
        finite = np.isfinite(a) & np.isfinite(b)
        same = np.array_equal(a[~finite], b[~finite], equal_nan=True)
        apart = np.abs(a - b)[finite].max(initial=0)
        if not same or apart > allowed * max(1, np.abs(a)[finite].max(initial=0)):
            raise RuntimeError(
                f"The model {model.name!r} predicts otherwise while its attention weights are "
                f"recorded: up to {apart:.2g} apart, in outputs up to "
                f"{np.abs(a)[finite].max(initial=0):.2g}. The weights would not be those of its "
                "prediction. Does a layer compute at random, or keep a state, at inference?"
            )


def _name_missing(model: keras.Model, recording: scope.Recording) -> None:
    """Warns of layers that attend and recorded nothing."""
    owners = {id(layer) for layer in recording.owners.values()}
    silent = []
    for layer in model._flatten_layers(include_self=False):
        if not roles.attends(layer) or not recording.wants(layer):
            continue
        if not owners & {id(part) for part in layer._flatten_layers()}:
            silent.append(f"{layer.path} ({type(layer).__name__})")
    if silent:
        warnings.warn(
            f"No weights are recorded of {', '.join(silent)}: of a kind that is not known, or not "
            "called.",
            stacklevel=4,
        )
