"""Layers that are made of others."""

from collections.abc import Iterator
from typing import Any, Self

import keras


class Composite(keras.layers.Layer):
    """A layer whose configuration says which of its parts are frozen.

    Keras's says so of the whole alone, and a layer made of it trains its parts again, also where
    the whole was frozen.
    """

    def _set_policy(self, value: Any) -> None:
        """Sets the policy of the parts too; one that quantizes is theirs by `quantize` alone."""
        keras.layers.Layer.dtype_policy.fset(self, value)
        if self.dtype_policy.quantization_mode is None:
            for _, part in _parts(self):
                part.dtype_policy = self.dtype_policy

    dtype_policy = keras.layers.Layer.dtype_policy.setter(_set_policy)  # Keras's getter is traced

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        frozen = [path for path, part in _parts(self) if not part.trainable]
        return {**config, "frozen": sorted(frozen)} if frozen and self.trainable else config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        config = dict(config)
        frozen = config.pop("frozen", ())
        layer = super().from_config(config)
        if not layer.trainable:
            layer.trainable = False  # of the parts too
        for path, part in _parts(layer):
            if path in frozen:
                part.trainable = False
        return layer


def _parts(layer: keras.Layer) -> Iterator[tuple[str, keras.Layer]]:
    """The layers in the attributes of a layer, and theirs, with paths like `attention.query`."""
    attributes = {**vars(layer), **vars(layer).get("_modules", {})}  # PyTorch keeps them there
    for name, part in attributes.items():
        if isinstance(part, keras.Layer):
            yield name, part
            for path, inner in _parts(part):
                yield f"{name}.{path}", inner
