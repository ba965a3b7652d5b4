"""Whether a cache continues a decoder, and whether it looks ahead: told by numbers."""

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from keras_attention import kernels, scope
from keras_attention.decoding import prompts
from keras_attention.decoding.parts import Parts

# Of the largest number, what rounding may change on the way through a deep model.
_ROUNDING = {"float64": 1e-6, "float32": 1e-3, "float16": 1e-2, "bfloat16": 5e-2}
_ROUNDING_OF_GPUS = 2e-2  # which may round the factors of products in float32
_FAR = 30.0  # below the largest logit: a probability below e^-30 takes no part
_TOKENS = 8  # that are read to find out which layer it is


def continues(
    parts: Parts, loop: Any, sources: Sequence[Any], batch: int, length: int, stops: Any
) -> bool:
    """Whether a step gives the logits that the decoder has when it reads all tokens at once.

    Takes what `loop` compiles for such a batch anyway: `length - 1` tokens are read, one is chosen
    and read in a step, and then all of them are read. A decoder that raises in a step does not.
    """
    rest = stops, _integer(length + 2)
    padding = parts.padding[parts.target]
    rows = _tokens(parts, batch, length - 1)
    try:
        carry = loop.begin(sources, *_pad(rows, length, padding), *rest)
        first = np.asarray(ops.convert_to_numpy(carry["tokens"]))[..., length].reshape(batch, -1)
        logits = loop.go_on(carry, _integer(length + 2))["logits"]
    except Exception:  # of whatever kind: reading all tokens again raises it too, if it must be
        return False
    rows = np.concatenate([rows, first[:, :1]], axis=1)
    expected = loop.begin(sources, *_pad(rows, length, padding), *rest)["logits"]
    logits, expected = (_below_the_largest(x, batch) for x in (logits, expected))
    return _alike(logits, expected, parts)


def sample(variables: Sequence[Any]) -> list[bytes]:
    """Returns a few numbers of a model that are others after training.

    Training may make it another one: a gate that begins at zero hides what is behind it.
    """
    small = sorted(variables, key=lambda variable: math.prod(variable.shape))[:8]
    return [np.asarray(ops.convert_to_numpy(x.value)).tobytes() for x in small]


def refuse_looking_ahead(parts: Parts, sources: Sequence[Any]) -> None:
    """Raises `ValueError` if logits change with the tokens that come after theirs."""
    length = min(_TOKENS, parts.context or _TOKENS)
    tokens, half = _tokens(parts, 1, parts.length or length), max(1, length // 2)
    others = tokens[:, :half]
    if parts.length is not None:  # fewer it does not take
        others = np.concatenate([others, (tokens[:, half:] + 1) % parts.vocabulary_size], axis=1)
    memory = parts.memory([source[:1] for source in sources])
    begun, whole = (parts.inside(ops.convert_to_tensor(x), memory) for x in (others, tokens))
    layer = _first_apart(parts, _positions(begun, slice(half)), _positions(whole, slice(half)))
    if layer is not None:
        raise ValueError(
            f"The model {parts.name!r} looks ahead: what {layer} gives for a token changes with "
            "those that come after it, so it cannot tell the next one. Pass causal=True to "
            "attention, and leave out what sees neighbours on both sides, or the whole text."
        )


def warn_of_recomputing(parts: Parts, sources: Sequence[Any]) -> None:
    """Warns that no cache continues the model, and names the layer."""
    length = min(_TOKENS, parts.context or _TOKENS)
    tokens = _tokens(parts, 1, length)
    memory = parts.memory([source[:1] for source in sources])
    before, last = (ops.convert_to_tensor(x) for x in (tokens[:, :-1], tokens[:, -1:]))
    try:
        with scope.cache(max_length=length) as cache:
            parts.inside(before, memory)
        with scope.cache(cache.state, index=length - 1):
            step = parts.inside(last, memory)
        whole = parts.inside(ops.convert_to_tensor(tokens), memory)
        layer = _first_apart(parts, step, _positions(whole, slice(-1, None)))
    except Exception:  # which no cache scope raised outside of it
        layer = None
    warnings.warn(
        f"No cache continues the model {parts.name!r}: for a new token alone "
        f"{layer or 'a layer'} gives something else than for the whole text. All tokens are read "
        "again for each new one, which is slow.",
        stacklevel=5,
    )


def _first_apart(parts: Parts, computed: list, expected: list) -> str | None:
    """Returns the first operation that gives two things, in words."""
    for (operation, a), (_, b) in zip(computed, expected, strict=True):
        if a.shape == b.shape and not _alike(a, b, parts):
            return f"the layer {operation.name!r} ({type(operation).__name__})"
    return None


def _positions(arrays: list, positions: slice) -> list:
    """Returns some positions of the arrays that have positions."""
    return [(name, x[:, positions] if x.ndim > 1 else x) for name, x in arrays]


def _alike(computed: np.ndarray, expected: np.ndarray, parts: Parts) -> bool:
    """Whether two arrays are the same but for rounding."""
    if computed.dtype.kind != "f":
        return np.array_equal(computed, expected)
    finite = np.isfinite(computed) & np.isfinite(expected)
    if not np.array_equal(computed[~finite], expected[~finite], equal_nan=True):
        return False
    rounding = max(_ROUNDING.get(layer.compute_dtype, 0.0) for layer in parts.decoder_layers)
    if kernels.device_name() != "cpu":
        rounding = max(rounding, _ROUNDING_OF_GPUS)
    apart = np.abs(computed - expected)[finite].max(initial=0)
    return apart <= rounding * np.abs(expected)[finite].max(initial=0)


def _below_the_largest(logits: Any, batch: int) -> np.ndarray:
    """Returns `(B, V)`: how far each logit of a prompt's first beam is below the largest."""
    x = np.asarray(ops.convert_to_numpy(logits)).reshape(batch, -1, logits.shape[-1])[:, 0]
    return np.maximum(x - x.max(axis=-1, keepdims=True), -_FAR)


def _tokens(parts: Parts, batch: int, length: int) -> np.ndarray:
    """Returns ids `(B, T)` that differ, and are not padding."""
    ids = sorted(set(range(parts.vocabulary_size)) - parts.masked[parts.target])
    chosen = np.random.default_rng(0).choice(ids or [0], (batch, length))
    return chosen.astype(np.int32)


def _pad(rows: np.ndarray, length: int, padding: int) -> tuple[Any, Any]:
    ids, present = prompts.pad_left(list(rows), length, padding)
    return ops.convert_to_tensor(ids), ops.convert_to_tensor(present)


def _integer(value: int) -> Any:
    return ops.convert_to_tensor(value, "int32")
