"""What flows beside the tensors: captured attention weights and the key/value cache.

Layers ask for the current scope, so models need no extra arguments and no plumbing. Both
scopes are pure inside a compiled function: what they yield are the tensors of that trace.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras

from keras_attention.ops import masks

Tensor = Any


class _Scopes(threading.local):
    """The scopes of a thread. `torch.compile` traces this; a `ContextVar` breaks its graph."""

    maps: dict[str, Tensor] | None = None
    cache: "Cache | None" = None


_current = _Scopes()


@contextmanager
def capture() -> Iterator[dict[str, Tensor]]:
    """Records the weights of every attention layer that is called inside.

    ```python
    with ka.capture() as maps:
        model(x)
    maps["block_0/attention"]  # (B, N, T, S)
    ```

    The keys are the layers' paths in the order of the calls; a layer that is called again
    is recorded again, as `path:1`, `path:2`. Weights are those before dropout. Call the model
    itself, not `predict`, which may run a compiled function that was traced before.

    Yields:
        A dict that fills as layers are called: `(B, N, T, S)` per attention layer,
        `(B, N, E)` for graph attention over E edges.
    """
    maps: dict[str, Tensor] = {}
    outer, _current.maps = _current.maps, maps
    try:
        yield maps
    finally:
        _current.maps = outer


def capturing() -> bool:
    """Whether weights are to be computed and recorded."""
    return _current.maps is not None


def record(layer: keras.Layer, weights: Tensor) -> None:
    """Records `weights` under the path of `layer`, inside `capture`."""
    maps = _current.maps
    if maps is not None:
        maps[_unused(layer.path, maps)] = weights


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
        self._cache, self._key = cache, key

    @property
    def filled(self) -> bool:
        """Whether an earlier call left tensors here: not in a prefill."""
        return not self._cache.prefill

    def read(self) -> dict[str, Tensor]:
        return self._cache.state[self._key]

    def write(self, **tensors: Tensor) -> None:
        self._cache.state[self._key] = tensors
        self._cache.written.append(self._key)


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
