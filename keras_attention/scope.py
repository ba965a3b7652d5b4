"""State beside the tensors of a call: captured attention weights and the key/value cache.

Layers ask for the current scope, so models need no extra arguments and no plumbing. Both
scopes are pure inside a compiled function: what they yield are the tensors of that trace.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_attention.ops import masks
from keras_attention.types import Tensor


class Recording:
    """The weights that `capture` asks for, as layers hand them in.

    Attributes:
        maps: weights by path.
        owners: the layer of each path, which may have been called several times.
        crossing: paths of layers of Keras that were called with another value than query.
        nudges: tensors by path, added to the weights before they are used: the gradient of an
            output by them is that by the weights.
        heads, queries: indices that are recorded, all if `None`.
    """

    def __init__(
        self,
        layers: Sequence[str] | None = None,
        heads: Sequence[int] | None = None,
        queries: Sequence[int] | None = None,
        nudges: Mapping[str, Tensor] | None = None,
    ) -> None:
        self.maps: dict[str, Tensor] = {}
        self.owners: dict[str, keras.Layer] = {}
        self.crossing: set[str] = set()
        self.nudges = nudges or {}
        self.heads, self.queries = heads, queries
        self._patterns = layers

    def wants(self, layer: keras.Layer) -> bool:
        """Whether the weights of `layer` are asked for."""
        return is_among(layer.path, self._patterns)

    def rows(self, layer: keras.Layer, length: int) -> np.ndarray | None:
        """Indices of the queries that are asked for; `None` for all, or none of them."""
        if self.queries is None or length == 1 or not self.wants(layer):
            return None
        return _indices("queries", self.queries, length, layer)

    def add(self, layer: keras.Layer, weights: Tensor, whole: bool) -> Tensor:
        """Records weights `(B, N, T, S)` or `(B, N, E)`; returns those to use.

        Args:
            layer: whose they are.
            weights: of all queries, or of those that were asked for.
            whole: whether they are of all queries.
        """
        path = _unused(layer.path, self.maps)
        kept = weights
        if whole and len(weights.shape) == 4:
            rows = self.rows(layer, weights.shape[2])
            kept = kept if rows is None else ops.take(kept, rows, axis=2)
        if self.heads is not None and weights.shape[1] != 1:
            heads = _indices("heads", self.heads, weights.shape[1], layer)
            kept = ops.take(kept, heads, axis=1)
        self.maps[path], self.owners[path] = kept, layer
        nudge = self.nudges.get(path)
        return weights if nudge is None else weights + ops.cast(nudge, weights.dtype)

    def nudge(self, layer: keras.Layer) -> Tensor | None:
        """Returns the tensor to add to the weights that `layer` records next."""
        return self.nudges.get(_unused(layer.path, self.maps))


def is_among(path: str, patterns: Sequence[str] | None) -> bool:
    """Whether `path` matches a path, a beginning of a path or a pattern; always if `None`."""
    return patterns is None or any(
        path == pattern or path.startswith(f"{pattern}/") or fnmatchcase(path, pattern)
        for pattern in patterns
    )


class _Scopes(threading.local):
    """The scopes of a thread. `torch.compile` traces this; a `ContextVar` breaks its graph."""

    recording: Recording | None = None
    cache: "Cache | None" = None


_current = _Scopes()


@contextmanager
def capture(
    *,
    layers: Sequence[str] | None = None,
    heads: Sequence[int] | None = None,
    queries: Sequence[int] | None = None,
) -> Iterator[dict[str, Tensor]]:
    """Records the weights of every attention layer that is called inside.

    ```python
    with ka.capture() as maps:
        model(x)
    maps["block_0/attention"]  # (B, N, T, S)
    ```

    The keys are the layers' paths in the order of the calls; a layer that is called again
    is recorded again, as `path:1`, `path:2`. Weights are those before dropout. Call the model
    itself, not `predict`, which may run a compiled function that was traced before.
    `ka.explain.attention_maps` does it in one call, for layers of Keras too, and checks it.

    Args:
        layers: paths, beginnings of paths (`"block_0"`) or patterns (`"*/cross_attention"`) of the
            layers to record; all if `None`. The others stay on their fused kernel.
        heads: indices of heads; all if `None`. Layers with one head keep it.
        queries: indices of queries, negative ones from the end; all if `None`. Multi-head
            attention then computes the weights of these alone, `(B, N, len(queries), S)`, and
            the rest on its fused kernel. Layers with one query keep it, graphs all edges.

    Yields:
        A dict that fills as layers are called: `(B, N, T, S)` per attention layer,
        `(B, N, E)` for graph attention over E edges, in their order.

    Raises:
        ValueError: a head or a query that a layer does not have.
    """
    with recording(Recording(layers, heads, queries)) as scope:
        yield scope.maps


@contextmanager
def recording(scope: Recording) -> Iterator[Recording]:
    """Lets layers inside hand their weights to `scope`."""
    outer, _current.recording = _current.recording, scope
    try:
        yield scope
    finally:
        _current.recording = outer


def current_recording() -> Recording | None:
    """The recording that the call runs in, if any."""
    return _current.recording


def capturing(layer: keras.Layer) -> bool:
    """Whether the weights of `layer` are to be computed and recorded."""
    scope = _current.recording
    return scope is not None and scope.wants(layer)


def requested_rows(layer: keras.Layer, length: int | None) -> np.ndarray | None:
    """Returns the queries of `layer` whose weights alone are asked for; `None` for all or none."""
    scope = _current.recording
    return None if scope is None or length is None else scope.rows(layer, length)


def record(layer: keras.Layer, weights: Tensor, *, whole: bool = True) -> Tensor:
    """Records `weights` under the path of `layer`, inside `capture`; returns those to use.

    `whole` is whether they are of all queries, rather than of `requested_rows`.
    """
    scope = _current.recording
    return weights if scope is None or not scope.wants(layer) else scope.add(layer, weights, whole)


def nudge(layer: keras.Layer) -> Tensor | None:
    """Returns the tensor to add to the weights of `layer`, for layers that use their weights
    before they record them."""
    scope = _current.recording
    return scope.nudge(layer) if scope is not None and scope.wants(layer) else None


class Cache:
    """Keys and values of the positions that a decoder has seen. Made by `cache`.

    Attributes:
        state: dict from layer path to that layer's tensors; holds arrays alone, so it can be
            carried through `keras.ops.while_loop` and compiled functions.
        index: position of the first token of this call, a Python int or a scalar tensor.
        prefill: whether this call makes the state, rather than continues it.
        max_length: positions the state has room for; known in a prefill only.
        padding_mask: `(B, T)`, false where a prompt is padded; known in a prefill only.
        in_place: whether tensors of the state may be written to.
        written: keys of the state that this call wrote.
    """

    def __init__(
        self,
        state: dict | None,
        index: Any,
        max_length: int | None,
        padding_mask: Tensor | None = None,
        in_place: bool = False,
    ) -> None:
        self.prefill = state is None
        self.index = index
        self.max_length = max_length
        self.padding_mask = padding_mask
        self.in_place = in_place
        self.state: dict[str, dict[str, Tensor]] = dict(state or {})
        self.written: list[str] = []
        self._called: dict[str, None] = {}

    def slot(self, layer: keras.Layer) -> "Slot":
        """The place of `layer` in the state; ask once per call of the layer."""
        key = _unused(layer.path, self._called)
        self._called[key] = None
        if not self.prefill and key not in self.state:
            raise ValueError(
                f"The cache holds nothing for the layer {key!r}. Received: state with entries "
                f"{list(self.state)}. Make the state with the same model: "
                "`with ka.cache(max_length=...) as cache: model(prompt)`."
            )
        return Slot(self, key)


class Slot:
    """One layer's tensors in a `Cache`."""

    def __init__(self, cache: Cache, key: str) -> None:
        self.cache = cache
        self._key = key

    @property
    def filled(self) -> bool:
        """Whether an earlier call left tensors here: not in a prefill."""
        return not self.cache.prefill

    def read(self) -> dict[str, Tensor]:
        return self.cache.state[self._key]

    def write(self, **tensors: Tensor | None) -> None:
        """Keeps these tensors, those that are not `None`, in place of others."""
        self.cache.state[self._key] = {
            name: tensor for name, tensor in tensors.items() if tensor is not None
        }
        self.cache.written.append(self._key)


class _NoSlot:
    """Keeps nothing: the slot of every layer outside of a cache scope."""

    filled = False

    def read(self) -> dict[str, Tensor]:
        return {}

    def write(self, **tensors: Tensor | None) -> None:
        pass


_NO_SLOT = _NoSlot()


@contextmanager
def cache(
    state: dict | None = None,
    *,
    index: Any = 0,
    max_length: int | None = None,
    padding_mask: Tensor | None = None,
    in_place: bool = False,
) -> Iterator[Cache]:
    """Makes decoders incremental: each call sees only new positions and continues `state`.

    ```python
    with ka.cache(max_length=64) as cache:        # the prompt, T tokens
        logits = model(prompt)
    state = cache.state
    with ka.cache(state, index=T) as cache:       # the next token(s)
        logits = model(token)
    state = cache.state
    ```

    Causal self-attention writes its keys and values at `index` and attends to all before;
    cross-attention projects its memory once, in the prefill; positions are offset by `index`.
    The padding mask of the prompt is kept, so prompts may be padded left or right. The step is
    a pure function of `(tokens, state, index)`, under `jax.jit`, `tf.function` and PyTorch.
    Enter the scope around the decoder alone: what is not causal cannot be continued.

    Args:
        state: `None` to begin, else the `state` of an earlier call.
        index: how many positions the state already holds; an int or an int32 scalar.
        max_length: room for prompt and continuation together, required to begin.
        padding_mask: `(B, T)` boolean, false where a prompt is padded, for models that have no
            mask of their own; else both hold.
        in_place: whether the step may write to the tensors of `state`, which must then not be
            used again. PyTorch copies nothing then, and attends to what is filled alone if
            `index` is a Python int; the others know by themselves what they may overwrite.

    Raises:
        ValueError: neither or both of `state` and `max_length` were given, or `state` comes
            from another model.
    """
    if (state is None) == (max_length is None):
        raise ValueError(
            "Pass either `max_length`, to begin a cache, or the `state` of one. Received: "
            f"max_length={max_length}, state={'None' if state is None else 'a state'}"
        )
    scope = Cache(state, index, max_length, padding_mask, in_place)
    outer, _current.cache = _current.cache, scope
    try:
        yield scope
    finally:
        _current.cache = outer


def current_cache() -> Cache | None:
    """The cache scope that the call runs in, if any."""
    return _current.cache


def slot(layer: keras.Layer) -> Slot | _NoSlot:
    """Returns the place of `layer` in the cache scope that the call runs in, or one that keeps
    nothing. Ask once per call of the layer."""
    cache = _current.cache
    return _NO_SLOT if cache is None else cache.slot(layer)


def padded(mask: Tensor | None) -> Tensor | None:
    """A layer's own padding mask, and that of the prompt in the prefill of a cache scope."""
    cache = _current.cache
    return mask if cache is None else masks.both(mask, cache.padding_mask)


def first_position() -> Any:
    """The position of a call's first token: 0, or the index of the cache scope."""
    cache = _current.cache
    return 0 if cache is None else cache.index


def _unused(path: str, taken: dict) -> str:
    """`path`, or `path:1`, `path:2`, ... for further calls of the same layer."""
    if path not in taken:
        return path
    call = 1
    while f"{path}:{call}" in taken:
        call += 1
    return f"{path}:{call}"


def _indices(name: str, given: Sequence[int], size: int, layer: keras.Layer) -> np.ndarray:
    """`given` as indices from 0 on."""
    indices = np.asarray(given, dtype=np.int32)
    if indices.ndim != 1 or not len(indices) or not ((-size <= indices) & (indices < size)).all():
        raise ValueError(
            f"`{name}` must be a list of indices below {size}, of which the layer {layer.path!r} "
            f"has as many, or negative ones from the end. Received: {name}={given}"
        )
    return indices % size
