"""Errors that name the argument, the value and the remedy, worded alike on every backend.

All checks read Python values, static shapes and dtypes alone, so they cost nothing on the
device and speak before anything is computed. A dimension of `None` agrees with everything.
"""

from collections.abc import Collection, Sequence
from numbers import Integral, Real
from typing import Any, TypeAlias

import keras

from keras_attention.types import Tensor

Size: TypeAlias = Any  # an integer, `None`, or of a trace or export a symbol or a tensor
Shape: TypeAlias = Sequence[Size]


def positive_int(**arguments: Any) -> None:
    """Raises `ValueError` unless each keyword argument is a positive integer."""
    for name, value in arguments.items():
        if isinstance(value, bool) or not isinstance(value, Integral) or value <= 0:
            raise ValueError(f"`{name}` must be a positive integer. Received: {name}={value!r}")


def not_negative_int(**arguments: Any) -> None:
    """Raises `ValueError` unless each keyword argument is 0 or a positive integer."""
    for name, value in arguments.items():
        if isinstance(value, bool) or not isinstance(value, Integral) or value < 0:
            raise ValueError(
                f"`{name}` must be 0 or a positive integer. Received: {name}={value!r}"
            )


def positive(**arguments: Any) -> None:
    """Raises `ValueError` unless each keyword argument is a positive number."""
    for name, value in arguments.items():
        if isinstance(value, bool) or not isinstance(value, Real) or not float(value) > 0:
            raise ValueError(f"`{name}` must be a positive number. Received: {name}={value!r}")


def rate(**arguments: Any) -> None:
    """Raises `ValueError` unless each keyword argument is a probability in [0, 1)."""
    for name, value in arguments.items():
        if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= float(value) < 1:
            raise ValueError(
                f"`{name}` must be a number in [0, 1), the share that is dropped. "
                f"Received: {name}={value!r}"
            )


def divisible(name: str, value: int, by: str, divisor: int) -> None:
    """Raises `ValueError` unless `name` is a multiple of `by`."""
    if value % divisor:
        raise ValueError(
            f"`{name}` must be divisible by `{by}`. Received: {name}={value}, {by}={divisor}"
        )


def one_of(name: str, value: Any, choices: Collection[Any]) -> None:
    """Raises `ValueError` unless `name` is one of `choices`."""
    if value not in choices:
        names = ", ".join(repr(choice) for choice in choices)
        raise ValueError(f"`{name}` must be one of {names}. Received: {name}={value!r}")


def names_among(name: str, value: Any, choices: Sequence[str]) -> tuple[str, ...]:
    """Returns those of `choices` that `value` names: all of them if `True`, none if `False`.

    Raises `ValueError` unless it is a boolean or some of the names.
    """
    if isinstance(value, bool):
        return tuple(choices) if value else ()
    if isinstance(value, str) or not isinstance(value, Collection) or set(value) - set(choices):
        names = ", ".join(map(repr, choices))
        raise ValueError(
            f"`{name}` must be True, False, or a tuple of some of {names}. "
            f"Received: {name}={value!r}"
        )
    return tuple(choice for choice in choices if choice in value)


def rank(name: str, shape: Shape, form: str) -> None:
    """Raises `ValueError` unless `name` has the rank of `form`, such as "(B, T, D)"."""
    if len(shape) != form.count(",") + 1:
        raise ValueError(
            f"`{name}` must have shape {form}. Received: {name} of shape {tuple(shape)}"
        )


def matches(name: str, shape: Shape, expected: Shape, form: str) -> None:
    """Raises `ValueError` unless `name` has the sizes of `expected`, called `form`."""
    if len(shape) != len(expected) or not all(map(_agree, shape, expected)):
        raise ValueError(
            f"`{name}` must have shape {form}={tuple(expected)}. "
            f"Received: {name} of shape {tuple(shape)}"
        )


def known(name: str, shape: Shape, axis: int = -1) -> None:
    """Raises `ValueError` unless the size of `axis` is known, as where weights are built."""
    if shape[axis] is None:
        raise ValueError(
            f"`{name}` must have a known size in axis {axis} to build the weights. "
            f"Received: {name} of shape {tuple(shape)}"
        )


def same_size(
    name: str, shape: Shape, other: str, other_shape: Shape, *, axis: int, what: str
) -> None:
    """Raises `ValueError` unless two arguments agree in the size of `axis`, called `what`."""
    size, other_size = shape[axis], other_shape[axis]
    if not _agree(size, other_size):
        raise ValueError(
            f"`{name}` and `{other}` must have the same {what}. Received: "
            f"{name} of shape {tuple(shape)}, {other} of shape {tuple(other_shape)}"
        )


def built_for(name: str, shape: Shape, *, axis: int, size: Size, what: str) -> None:
    """Raises `ValueError` unless the size of `axis`, called `what`, is that of the weights."""
    if not shape or not _agree(shape[axis], size):
        raise ValueError(
            f"`{name}` must have the {what} that the weights were built for, {size}. "
            f"Received: {name} of shape {tuple(shape)}"
        )


def at_most(name: str, size: Size, limit_name: str, limit: Size, remedy: str) -> None:
    """Raises `ValueError` if a static size exceeds a limit."""
    if size is not None and size > limit:
        raise ValueError(
            f"The size of `{name}` must be at most {limit_name}={limit}. Received: {size}. {remedy}"
        )


def sequence_mask(name: str, mask: Tensor | None, of: str, shape: Shape) -> None:
    """Raises `ValueError` unless a mask is boolean `(B, T)` beside a sequence `(B, T, ...)`."""
    if mask is None:
        return
    _boolean(name, mask, "Compare first: `token_ids != 0`, or cast 0/1 integers to bool.")
    if len(mask.shape) != 2 or not all(map(_agree, mask.shape, shape[:2])):
        raise ValueError(
            f"`{name}` must have shape (B, T), the first two of `{of}`. Received: "
            f"{name} of shape {tuple(mask.shape)}, {of} of shape {tuple(shape)}"
        )


def attention_mask(mask: Tensor | None, shape: Shape) -> None:
    """Raises `ValueError` unless a mask is boolean, `(B, T, S)` or `(B, N, T, S)`.

    `shape` is `(B, N, T, S)`; sizes of 1 broadcast. Rank 2 is refused, for `(B, S)` and `(T, S)`
    cannot be told apart.
    """
    if mask is None:
        return
    _boolean(
        "attention_mask",
        mask,
        "An additive mask becomes boolean by `mask > -1`, 0/1 integers by a cast to bool.",
    )
    if len(mask.shape) == 2:
        raise ValueError(
            "`attention_mask` of rank 2 is ambiguous. Received: attention_mask of shape "
            f"{tuple(mask.shape)}. For padding (B, S) pass `mask`, `query_mask` or `value_mask`; "
            "for one mask (T, S) for the whole batch pass `attention_mask[None]`."
        )
    expected = shape if len(mask.shape) == 4 else (shape[0], *shape[2:])
    if len(mask.shape) not in (3, 4) or not all(
        size == 1 or _agree(size, target) for size, target in zip(mask.shape, expected, strict=True)
    ):
        raise ValueError(
            "`attention_mask` must be broadcastable to (B, T, S) or (B, N, T, S). Received: "
            f"attention_mask of shape {tuple(mask.shape)}, (B, N, T, S)={tuple(shape)}"
        )


def attention_bias(bias: Tensor | None, shape: Shape) -> None:
    """Raises `ValueError` unless a bias is broadcastable to `shape`, `(B, N, T, S)`, of rank 4."""
    if bias is None:
        return
    if len(bias.shape) != 4 or not all(
        size == 1 or _agree(size, target)
        for size, target in zip(bias.shape[:2], shape[:2], strict=True)
    ):
        raise ValueError(
            "`attention_bias` must be of rank 4 and broadcastable to (B, N, T, S). Received: "
            f"attention_bias of shape {tuple(bias.shape)}, (B, N, T, S)={tuple(shape)}"
        )
    matches("attention_bias", bias.shape[2:], shape[2:], "(..., T, S)")


def memory_masks(
    query: Tensor,
    value: Tensor,
    *,
    query_mask: Tensor | None,
    value_mask: Tensor | None,
    key_mask: Tensor | None,
    mask: Tensor | None,
    num_heads: int = 1,
) -> None:
    """Raises `ValueError` unless the masks fit a layer that attends from `query` to `value`."""
    sequence_mask("query_mask", query_mask, "query", query.shape)
    sequence_mask("value_mask", value_mask, "value", value.shape)
    sequence_mask("key_mask", key_mask, "value", value.shape)
    attention_mask(mask, (query.shape[0], num_heads, query.shape[1], value.shape[1]))


def _boolean(name: str, mask: Tensor, remedy: str) -> None:
    dtype = keras.backend.standardize_dtype(mask.dtype)
    if dtype != "bool":
        raise ValueError(
            f"`{name}` must be boolean, True = attend. Received: {name} of dtype {dtype}. {remedy}"
        )


def _agree(size: Size, other: Size) -> bool:
    return size is None or other is None or size == other
