"""Functions that were compiled for a model, kept while the model lives and stays as it is."""

import threading
from collections.abc import Hashable
from types import FunctionType
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import keras

from keras_attention.kernels.attention.branches import describe

_PLAIN = (bool, int, float, str, type(None), FunctionType)  # values of settings


class _Kept(NamedTuple):
    """Functions that were compiled for a model, and what the model was then."""

    variables: list[Any]
    settings: list[Any]
    functions: dict[Hashable, Any]


_kept: WeakKeyDictionary[keras.Model, _Kept] = WeakKeyDictionary()
_lock = threading.Lock()


def compiled_for(model: keras.Model) -> dict[Hashable, Any]:
    """Returns a dict for functions that are compiled for `model`, by names of the caller's choice.

    It is another, empty one once the model is not what it was: by `enable_lora`, `quantize`,
    another dtype policy, or another value of a layer's setting, such as `window` or `activation`.
    The values of the variables may change, for compiled functions read them at each call. Such a
    function must not hold the model, which would then live for ever.
    """
    variables, settings = model.variables, _settings(model)
    with _lock:
        known = _kept.get(model)
        if known is None or known.settings != settings or not _same(known.variables, variables):
            known = _kept[model] = _Kept(variables, settings, {})
        return known.functions


def forget_functions(model: keras.Model) -> None:
    """Has Keras compile anew what it keeps of a model, whose weights are others than before."""
    for layer in model._flatten_layers():
        if isinstance(layer, keras.Model):
            layer.train_function = layer.test_function = layer.predict_function = None
        if hasattr(layer, "_torch_params"):
            layer._track_variables()  # as Keras does after `quantize`


def _same(before: list[Any], now: list[Any]) -> bool:
    """Returns whether these are the same variables; `==` would compare their values."""
    return len(before) == len(now) and all(a is b for a, b in zip(before, now, strict=True))


def _settings(model: keras.Model) -> list[Any]:
    """Returns plain values that layers compute with, and what overrules the choice of kernels."""
    settings: list[Any] = list(describe().values())
    for layer in model._flatten_layers(include_self=False):
        settings.append(layer.dtype_policy.name)
        settings += [
            (name, value)
            for name, value in vars(layer).items()
            if name[0] != "_" and isinstance(value, _PLAIN)
        ]
    return settings
