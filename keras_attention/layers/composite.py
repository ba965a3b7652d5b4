"""Layers that are made of others."""

import random
from collections.abc import Callable
from functools import wraps
from typing import Any, Self

import keras

from keras_attention.layers import part_settings
from keras_attention.layers.part_settings import parts

_MOST = 32  # layers of different configurations that are kept to compare others with


class Composite(keras.layers.Layer):
    """A layer whose configuration says what of its parts its arguments do not.

    Keras saves the arguments of a layer, and makes its parts anew from them. Lost would be which
    parts are frozen and what was set on them since, as by `block.attention_norm.epsilon = 0.1`. So
    the configuration has two keys more where there is something to say: `frozen`, the paths of
    parts, and `parts`, settings by path and name.

    Raises:
        ValueError: of `get_config`, if something was set on a part that JSON cannot hold.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "get_config" in vars(cls):
            cls.get_config = _with_parts(cls.get_config)  # type: ignore[assignment]

    def _set_policy(self, value: Any) -> None:
        """Sets the policy of the parts too; one that quantizes is theirs by `quantize` alone."""
        keras.layers.Layer.dtype_policy.fset(self, value)
        if self.dtype_policy.quantization_mode is None:
            for _, part in parts(self):
                part.dtype_policy = self.dtype_policy

    dtype_policy = keras.layers.Layer.dtype_policy.setter(_set_policy)  # Keras's getter is traced

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        frozen = [path for path, part in parts(self) if not part.trainable]
        return {**config, "frozen": sorted(frozen)} if frozen and self.trainable else config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        config = dict(config)
        frozen, settings = config.pop("frozen", ()), config.pop("parts", {})
        layer = super().from_config(config)
        part_settings.restore(layer, settings)
        if not layer.trainable:
            layer.trainable = False  # of the parts too
        for path, part in parts(layer):
            if path in frozen:
                part.trainable = False
        return layer


def _with_parts(get_config: Callable[[Any], dict[str, Any]]) -> Callable[[Any], dict[str, Any]]:
    """`get_config` of a class, which adds `parts` if no subclass has more arguments to say."""

    @wraps(get_config)
    def with_parts(self: Any) -> dict[str, Any]:
        config = get_config(self)
        if type(self).get_config is not with_parts or not any(parts(self)):
            return config
        example = _example(type(self), config)
        if example is None or part_settings.alike(self, example):
            return config
        return {**config, "parts": part_settings.differences(self, _made_of(type(self), config))}

    return with_parts


def _example(cls: type[Composite], config: dict[str, Any]) -> Composite | None:
    """A layer as a configuration makes it, one for all layers with the same: to be read alone."""
    key = cls, repr({**config, "name": None})
    if key not in _examples:
        if len(_examples) == _MOST:
            _examples.clear()
        _examples[key] = _made_of(cls, config)
    return _examples[key]


def _made_of(cls: type[Composite], config: dict[str, Any]) -> Composite | None:
    """The layer that a configuration makes; `None` if its class cannot be made of one.

    A class without a `get_config` of its own may be such. Its weights can be saved and restored,
    as by a checkpoint, so it is no error here.
    """
    state = random.getstate()  # of which layers that drop draw their seeds
    try:
        return cls.from_config(config)
    except TypeError:
        return None
    finally:
        random.setstate(state)


_examples: dict[tuple[type[Composite], str], Composite | None] = {}
