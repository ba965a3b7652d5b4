"""The settings of a published model: `config.json`, read so that nothing is passed over."""

import math
from collections.abc import Collection, Iterator, Mapping
from typing import Any

_REQUIRED: Any = object()
# What transformers calls activations, and what the layers here do; the gated ones are those of
# feed-forward networks.
_ACTIVATIONS = {
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "quick_gelu": "quick_gelu",
    "relu": "relu",
    "silu": "silu",
    "tanh": "tanh",
}
_GATED = {
    "gelu": "geglu",
    "gelu_new": "geglu_tanh",
    "gelu_pytorch_tanh": "geglu_tanh",
    "relu": "reglu",
    "silu": "swiglu",
}
_MOST = 2**31 - 1


class Config(Mapping[str, Any]):
    """A `config.json`, whose values are checked as they are asked for.

    A family asks for every key that changes numbers, or demands that the key is off, so that no
    model is almost right.

    Raises:
        ValueError: of every method, if a key is missing or has a value that the family cannot
            follow. The message names the key, its value and what would do.
    """

    def __init__(self, values: Mapping[str, Any], *, name: str = "config.json") -> None:
        if not isinstance(values, Mapping):
            raise ValueError(f"{name} must hold settings by name. Received: {str(values)[:100]!r}")
        self._values = dict(values)
        self._name = name

    def __getitem__(self, key: str) -> Any:
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def size(self, key: str, default: Any = _REQUIRED) -> int:
        """Returns a positive integer."""
        value = self._ask(key, default)
        if type(value) is not int or not 0 < value <= _MOST:
            raise self.refuse(key, value, "a positive integer")
        return value

    def count(self, key: str, default: Any = _REQUIRED) -> int:
        """Returns an integer that may be 0."""
        value = self._ask(key, default)
        return 0 if type(value) is int and value == 0 else self.size(key, default)

    def pair(self, key: str, default: Any = _REQUIRED) -> tuple[int, int]:
        """Returns two positive integers, height and width; one stands for both."""
        value = self._ask(key, default)
        pair = value if isinstance(value, (list, tuple)) else [value] * 2
        if len(pair) != 2 or not all(type(size) is int and 0 < size <= _MOST for size in pair):
            raise self.refuse(key, value, "a positive integer, or two: height and width")
        return pair[0], pair[1]

    def number(self, key: str, default: Any = _REQUIRED) -> float:
        """Returns a finite number."""
        value = self._ask(key, default)
        if type(value) not in (int, float) or not math.isfinite(value):
            raise self.refuse(key, value, "a number")
        return float(value)

    def rate(self, key: str, default: Any = _REQUIRED) -> float:
        """Returns a share from 0 to below 1."""
        value = self.number(key, default)
        if not 0 <= value < 1:
            raise self.refuse(key, value, "a share from 0 to below 1")
        return value

    def flag(self, key: str, default: Any = _REQUIRED) -> bool:
        """Returns true or false."""
        value = self._ask(key, default)
        if type(value) is not bool:
            raise self.refuse(key, value, "true or false")
        return value

    def choose(self, key: str, choices: Mapping[Any, Any], default: Any = _REQUIRED) -> Any:
        """Returns what `choices` has for a key's value."""
        value = self._ask(key, default)
        if isinstance(value, (list, dict)) or value not in choices:
            raise self.refuse(key, value, f"one of {', '.join(map(repr, choices))}")
        return choices[value]

    def choose_each(self, key: str, choices: Mapping[Any, Any], length: int) -> list[Any] | None:
        """Returns what `choices` has for each value of a list; `None` if the key is left out."""
        values = self.get(key)
        if values is None:
            return None
        if not isinstance(values, list) or len(values) != length:
            raise self.refuse(key, values, f"a list of {length} values")
        return [Config({key: value}, name=self._name).choose(key, choices) for value in values]

    def sizes(self) -> dict[str, int]:
        """Returns the sizes of a transformer of tokens, by the keys that most families have."""
        return dict(
            vocabulary_size=self.size("vocab_size"),
            hidden_dim=self.size("hidden_size"),
            intermediate_dim=self.size("intermediate_size"),
            num_heads=self.size("num_attention_heads"),
            num_layers=self.size("num_hidden_layers"),
        )

    def activation(self, key: str, default: Any = _REQUIRED, *, gated: bool = False) -> str:
        """Returns an activation as layers here call it; `gated`, that of a network with gates."""
        return self.choose(key, _GATED if gated else _ACTIVATIONS, default)

    def wavelength(self, kind: str, old_key: str, default: float) -> float:
        """Returns the base of rotary angles in layers of a kind.

        Args:
            kind: of the layers, such as `"full_attention"`, a key of `rope_parameters`.
            old_key: the key that files of before there was `rope_parameters` have it by.
            default: that of files with neither.
        """
        by_kind = self.section("rope_parameters")
        self.demand(rope_scaling=None)
        by_kind.demand(rope_theta=None, rope_type=None)
        rope = by_kind.section(kind)
        rope.demand(rope_type="default", partial_rotary_factor=1.0)
        return rope.number("rope_theta", self.number(old_key, default))

    def with_defaults(self, **values: Any) -> "Config":
        """Returns the settings with values of keys that are left out or null."""
        said = {key: value for key, value in self._values.items() if value is not None}
        return Config({**self._values, **values, **said}, name=self._name)

    def bound(self, key: str, default: int | None) -> int | None:
        """Returns a positive integer; the default if it is left out or less than 1."""
        return default if self.number(key, -1) < 1 else self.size(key)

    def words(self, key: str, choices: Collection[str]) -> list[str]:
        """Returns words of a list, or between bars, in alphabetical order."""
        value = self._ask(key, _REQUIRED)
        words = value.lower().split("|") if isinstance(value, str) else value
        words = sorted(str(word).strip() for word in words) if isinstance(words, list) else []
        if not words or len({*words}) < len(words) or {*words} - {*choices}:
            raise self.refuse(key, value, f"words of {', '.join(map(repr, choices))}")
        return words

    def section(self, key: str) -> "Config":
        """Returns the settings under a key; none if it is left out."""
        value = self._ask(key, {})
        if not isinstance(value, dict):
            raise self.refuse(key, value, "an object with settings")
        return Config(value, name=f"{key} of {self._name}")

    def demand(self, **values: Any) -> None:
        """Checks that each key is left out, null, or has the value by which it changes nothing."""
        for key, expected in values.items():
            value = self._values.get(key)
            if value is not None and value != expected:
                raise self.refuse(key, value, f"{expected!r}: nothing else is known here")

    def _ask(self, key: str, default: Any) -> Any:
        value = self._values.get(key)
        if value is not None:
            return value
        if default is _REQUIRED:
            raise ValueError(f"{self._name} has no {key!r}, which its model needs.")
        return default

    def refuse(self, key: str, value: Any, expected: str) -> ValueError:
        """Returns the error of a key whose value is not `expected`, in words."""
        shown = ascii(value)
        shown = shown if len(shown) <= 100 else f"{shown[:97]}..."
        return ValueError(
            f"{key!r} of {self._name} must be {expected}. Received: {key}={shown}. If the model "
            "needs it, its family has to learn it: zoo/pretrained has a file for each."
        )
