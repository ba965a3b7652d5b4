"""Strategies of attention layers: values of which each layer keeps a copy of its own."""

from collections.abc import Callable, Mapping
from typing import Any

import keras


def copy_of(
    strategy: Any, named: Mapping[str, Callable[[], Any]], base: type[keras.Layer], argument: str
) -> Any:
    """A new layer like `strategy`: `None`, a name, a layer of the class `base` or its config.

    Args:
        strategy: what the argument was given.
        named: makes the layers that have names.
        base: what others subclass.
        argument: its name, for the error.
    """
    if isinstance(strategy, dict):
        strategy = keras.saving.deserialize_keras_object(strategy)
    if strategy is None:
        return None
    if isinstance(strategy, base):
        return type(strategy).from_config(strategy.get_config())
    if not isinstance(strategy, str) or strategy not in named:
        raise ValueError(
            f"`{argument}` must be None, one of {', '.join(map(repr, named))}, or a {argument} "
            f"layer such as `{next(iter(named.values())).__name__}`. "
            f"Received: {argument}={strategy!r}"
        )
    return named[strategy]()


def config_of(strategy: keras.Layer | None) -> dict[str, Any] | None:
    """What `copy_of` takes, for `get_config`; the attention layer builds the copy itself."""
    if strategy is None:
        return None
    config = keras.saving.serialize_keras_object(strategy)
    config.pop("build_config", None)
    return config
