"""The sequences of a page: tokens, by name, and which of them each layer relates."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_attention import scope
from keras_attention.explain.pages.image import Picture

Axes = Mapping[str, tuple[str, str]]  # names of queries and of keys, by path or pattern of layers


class Sequences:
    """The sequences that the positions of a page are in.

    Args:
        items: by name, what stands at each position: a string, or the picture it is one of.
    """

    def __init__(self, items: Mapping[str, list[str | Picture]]) -> None:
        self._items = dict(items)

    @classmethod
    def of_tokens(cls, tokens: Any) -> "Sequences":
        """Returns the sequences that a user passed: one, or several by name.

        Raises:
            ValueError: one is a string.
        """
        named = tokens if isinstance(tokens, Mapping) else {"tokens": tokens}
        return cls({name: _items(name, sequence) for name, sequence in named.items()})

    @classmethod
    def of_numbers(cls, maps: Mapping[str, Any]) -> "Sequences":
        """Returns a sequence of the positions' numbers for each length of an axis of the maps."""
        lengths = {length for weights in maps.values() for length in weights.shape[-2:]} - {1}
        return cls({f"{length} positions": list(map(str, range(length))) for length in lengths})

    def length(self, name: str) -> int:
        """Returns how many positions a sequence has."""
        return len(self._items[name])

    def relate(self, path: str, weights: np.ndarray, axes: Axes) -> tuple[str, str]:
        """Returns the names of the queries and of the keys of a layer's weights `(N, T, S)`.

        The first pattern of `axes` that fits the path tells; else the lengths do. A layer with one
        query that no sequence fits, as one that pools, becomes a sequence of its own.

        Raises:
            ValueError: no sequences fit, or more than one pair does.
        """
        lengths = weights.shape[1:]
        seen = weights.any(axis=(0, 2)), weights.any(axis=(0, 1))  # queries, keys
        used = tuple(int(np.flatnonzero(s)[-1]) + 1 if s.any() else 0 for s in seen)
        for pattern, names in axes.items():
            if scope.is_among(path, [pattern]):
                self._check(path, names, lengths, used)
                return names
        queries, keys = (self._fitting(path, *sizes) for sizes in zip(lengths, used, strict=True))
        if queries and keys and lengths[0] == lengths[1] and set(queries) & set(keys):
            pairs = [(name, name) for name in queries if name in keys]  # self-attention
        else:
            pairs = [(query, key) for query in queries for key in keys]
        if len(pairs) != 1:
            given = ", ".join(f"{name!r} of {len(items)}" for name, items in self._items.items())
            problem = "fit in more than one way" if pairs else "do not fit"
            raise ValueError(
                f"{path!r} relates {lengths[0]} queries to {lengths[1]} keys, and the sequences "
                f"{problem}: {given}. "
                + (
                    f"Say which: axes={{{path!r}: {pairs[0]}}}."
                    if pairs
                    else "Name every position, special tokens too; padding may be left out where "
                    "its weights are zero, or cut with `weights[..., :T, :S]`."
                )
            )
        return pairs[0]

    def describe(self, names: set[str]) -> dict[str, list[dict[str, Any]]]:
        """Returns the sequences with these names as JSON has them."""
        return {name: describe_items(items) for name, items in self._items.items() if name in names}

    def _fitting(self, path: str, length: int, used: int) -> list[str]:
        """Returns the sequences that may be along an axis: those as long as the axis, or else as
        what of it is not padding."""
        for wanted in (length, used):
            if names := [name for name, items in self._items.items() if len(items) == wanted]:
                return names
        if length > 1:
            return []
        self._items.setdefault(path, [path.rpartition("/")[2]])
        return [path]

    def _check(
        self, path: str, names: tuple[str, str], lengths: tuple[int, ...], used: tuple[int, ...]
    ) -> None:
        """Raises `ValueError` if the sequences with these names are not along the axes."""
        for axis, name, length, needed in zip(
            ("queries", "keys"), names, lengths, used, strict=True
        ):
            if name not in self._items:
                raise ValueError(
                    f"`axes` names {name!r}, and `tokens` only {list(self._items)}. Pass "
                    "`tokens={name: [...], ...}`."
                )
            if not needed <= self.length(name) <= length:
                raise ValueError(
                    f"{name!r} must name the {length} {axis} of {path!r}. Received: "
                    f"{self.length(name)} tokens"
                )


def _items(name: str, sequence: Any) -> list[str | Picture]:
    """Returns what stands at each position of a sequence, in which an image is many positions."""
    if isinstance(sequence, str):
        raise ValueError(f"{name!r} must be a list of strings. Received: the string {sequence!r}")
    items: list[str | Picture] = []
    for part in [sequence] if isinstance(sequence, Picture) else sequence:
        items += [part] * len(part) if isinstance(part, Picture) else [str(part)]
    return items


def describe_items(items: list[str | Picture]) -> list[dict[str, Any]]:
    """Returns the runs of tokens and the pictures of a sequence as JSON has them."""
    runs: list[dict[str, Any]] = []
    position = 0
    while position < len(items):
        item = items[position]
        if isinstance(item, Picture):
            runs.append(item.describe())
            position += len(item)
            continue
        if not runs or "tokens" not in runs[-1]:
            runs.append({"tokens": []})
        runs[-1]["tokens"].append(item)
        position += 1
    return runs
