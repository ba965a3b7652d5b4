"""Strategies of attention layers: values of which each layer keeps a copy of its own."""

from collections.abc import Callable, Mapping
from typing import Any

import keras


def copy_of(
    strategy: Any,
    named: Mapping[str, Callable[[], Any]],
    base: Any,
    argument: str,
    *,
    such_as: str | None = None,
    **settings: Any,
) -> Any:
    """Returns a new layer like `strategy`: a name, a layer of the class `base` or its config.

    `None` stays `None`.

    Args:
        strategy: what the argument was given.
        named: makes the layers that have names.
        base: the class of all such layers.
        argument: its name, for the error.
        such_as: classes to name in the error, where none has a name in `named`.
        settings: arguments that the copy has instead of those of `strategy`.
    """
    if isinstance(strategy, dict):
        strategy = keras.saving.deserialize_keras_object(strategy)
    if strategy is None:
        return None
    if isinstance(strategy, base):
        return type(strategy).from_config({**strategy.get_config(), **settings})
    if not isinstance(strategy, str) or strategy not in named:
        choices = such_as or (
            f"one of {', '.join(map(repr, named))}, or a {argument} layer such as "
            f"`{next(iter(named.values())).__name__}`"
        )
        raise ValueError(f"`{argument}` must be None, {choices}. Received: {argument}={strategy!r}")
    return named[strategy]()


def config_of(strategy: Any) -> dict[str, Any] | None:
    """Returns what `copy_of` takes, for `get_config`; the attention layer builds the copy itself.

    `None` for a default, which is no layer.
    """
    if not isinstance(strategy, keras.Layer):
        return None
    config = keras.saving.serialize_keras_object(strategy)
    config.pop("build_config", None)
    return config
