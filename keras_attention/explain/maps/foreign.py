"""Attention layers of Keras itself, whose weights are recorded as those of this package are.

`keras.layers.MultiHeadAttention` and `GroupQueryAttention` make no weights on their fused path,
and raise where they are asked for them under `flash_attention=True`. They and what is derived
from them, such as the layers of KerasHub's transformers, compute them here by their own explicit
path; `Attention` and `AdditiveAttention` have them anyway.
"""

import inspect
import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import keras
from keras import ops

from keras_attention import scope
from keras_attention.ops import masks
from keras_attention.ops import rows as some

_lock = threading.Lock()
_users = 0  # of the patched methods, in all threads
_originals: dict[tuple[type, str], Callable | None] = {}


@contextmanager
def recorded() -> Iterator[None]:
    """Keras's attention layers inside hand their weights to the recording they run in.

    Methods of their classes are replaced meanwhile; outside a recording, as in other threads,
    these do what they did.
    """
    global _users
    with _lock:
        _users += 1
        if _users == 1:
            for (cls, name), wrapper in _PATCHES.items():
                _originals[cls, name] = vars(cls).get(name)
                setattr(cls, name, wrapper(getattr(cls, name)))
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0:
                for (cls, name), original in _originals.items():
                    if original is None:  # which the class inherits
                        delattr(cls, name)
                    else:
                        setattr(cls, name, original)
                _originals.clear()


def _noting_what_it_reads(original: Callable) -> Callable:
    """Returns `__call__` that notes in the recording whether query and value are two tensors.

    Before Keras converts them: afterwards one tensor may be two.
    """

    @wraps(original)
    def call(self: keras.Layer, *args: Any, **kwargs: Any) -> Any:
        recording = scope.current_recording()
        if recording is None:
            return original(self, *args, **kwargs)
        before = set(recording.maps)
        output = original(self, *args, **kwargs)
        given = inspect.signature(self.call).bind(*args, **kwargs).arguments
        query, value = (
            given["inputs"][:2] if "inputs" in given else (given["query"], given["value"])
        )
        if query is not value:
            recording.crossing |= {
                path for path in set(recording.maps) - before if recording.owners[path] is self
            }
        return output

    return call


def _dot_product(original: Callable) -> Callable:
    """Returns `_compute_attention`, from queries `(B, T, N, H)` to outputs of that shape."""
    signature = inspect.signature(original)
    has_argument = "return_attention_scores" in signature.parameters  # else an attribute

    @wraps(original)
    def compute(self: keras.Layer, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
        if not scope.capturing(self):
            return original(self, *args, **kwargs)
        call = signature.bind(self, *args, **kwargs).arguments
        query, value = call["query"], call["value"]
        rows = None
        if len(query.shape) == 4:
            rows = scope.requested_rows(self, query.shape[1])
        if rows is None:
            nudge = scope.nudge(self)
            output, weights = _explicit(original, call, has_argument)
            scope.record(self, _of_sequences(weights, query))
            if nudge is not None:
                nudge = ops.cast(ops.reshape(nudge, ops.shape(weights)), value.dtype)
                output = output + ops.einsum(self._combine_equation, nudge, value)
            return output, weights
        output, weights = original(**call)
        mask = masks.take_queries(call.get("attention_mask"), rows, axis=-2)
        if call.pop("use_causal_mask", False):
            order = masks.causal_mask(rows, masks.positions(value.shape[1]))[None]
            mask = order if mask is None else ops.logical_and(ops.cast(mask, "bool"), order)
        call |= {"query": ops.take(query, rows, axis=1), "attention_mask": mask}
        of_rows, weights_of_rows = _explicit(original, call, has_argument)
        scope.record(self, weights_of_rows, whole=False)
        return some.put(output, rows, of_rows, axis=1), weights

    return compute


def _of_sequences(weights: Any, query: Any) -> Any:
    """Returns `(B, N, T, S)`, whatever axes of the query are attended over, or beside them."""
    attended = len(weights.shape) - len(query.shape) + 1
    beside = len(query.shape) - 2 - attended
    if (attended, beside) == (1, 1):
        return weights
    shape = weights.shape
    lengths = shape[beside + 1 : beside + 1 + attended], shape[beside + 1 + attended :]
    sizes = [math.prod(shape[:beside]), shape[beside], *map(math.prod, lengths)]
    return ops.reshape(weights, sizes)


def _explicit(original: Callable, call: dict[str, Any], has_argument: bool) -> tuple[Any, Any]:
    """Returns output and weights, whatever kernel the layer is set to."""
    layer = call["self"]
    settings = {"_flash_attention": False}
    if has_argument:
        call = {**call, "return_attention_scores": True}
    else:
        settings["_return_attention_scores"] = True
    before = {name: getattr(layer, name) for name in settings}
    try:
        for name, value in settings.items():
            setattr(layer, name, value)
        return original(**call)
    finally:
        for name, value in before.items():
            setattr(layer, name, value)


def _scored(original: Callable) -> Callable:
    """Returns `_apply_scores`, from scores `(B, T, S)` to outputs and weights of one head."""

    @wraps(original)
    def apply(self: keras.Layer, scores: Any, value: Any, *args: Any, **kwargs: Any) -> Any:
        nudge = scope.nudge(self)
        output, weights = original(self, scores, value, *args, **kwargs)
        scope.record(self, weights[:, None])
        if nudge is not None:
            output = output + ops.matmul(ops.cast(nudge[:, 0], value.dtype), value)
        return output, weights

    return apply


_PATCHES = {
    (keras.layers.MultiHeadAttention, "_compute_attention"): _dot_product,
    (keras.layers.GroupQueryAttention, "_compute_attention"): _dot_product,
    (keras.layers.Attention, "_apply_scores"): _scored,
    (keras.layers.MultiHeadAttention, "__call__"): _noting_what_it_reads,
    (keras.layers.GroupQueryAttention, "__call__"): _noting_what_it_reads,
    (keras.layers.Attention, "__call__"): _noting_what_it_reads,
}
