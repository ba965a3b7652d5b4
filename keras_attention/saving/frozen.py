"""Which layers inside layers, and which weights, are not to be trained.

Keras saves `trainable` of the layers that a configuration names. A layer that another builds for
itself, such as the attention of a block, is thawed by loading, and so is a single weight.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import keras

from keras_attention.layers.composite import Composite
from keras_attention.saving.errors import DamagedFileError
from keras_attention.saving.tensors import walk

KEY = "keras_attention"  # beside what Keras writes, which it leaves alone


def write(model: keras.Model, config: dict[str, Any]) -> None:
    """Adds to a model's configuration what is frozen, if anything is.

    Layers and weights go by their numbers, which the architecture alone decides.
    """
    layers = _numbers(layer.trainable for layer in _layers(model))
    weights = _numbers(weight.trainable for weight in model.weights)
    if layers or weights:
        config[KEY] = {"frozen_layers": layers, "frozen_weights": weights}


def read(config: dict[str, Any]) -> Mapping[str, list[int]] | None:
    """Takes what `write` added out of a configuration.

    Raises:
        DamagedFileError: it is something else.
    """
    flags = config.pop(KEY, None)
    if flags is None:
        return None
    if (
        not isinstance(flags, dict)
        or flags.keys() != {"frozen_layers", "frozen_weights"}
        or not all(isinstance(numbers, list) for numbers in flags.values())
        or not all(type(number) is int for numbers in flags.values() for number in numbers)
    ):
        raise DamagedFileError(f"config.json has {flags!r:.80} as {KEY!r}.")
    return flags


def restore(model: keras.Model, flags: Mapping[str, list[int]] | None) -> None:
    """Freezes and thaws a loaded model as it was, from outer layers to inner ones to weights."""
    if flags is None:
        _freeze_parts(model)
        return
    for kind, members in (("layers", _layers(model)), ("weights", model.weights)):
        frozen = set(flags[f"frozen_{kind}"])
        if not frozen <= set(range(len(members))):
            raise DamagedFileError(f"config.json names frozen {kind} that the model has not.")
        for number, member in enumerate(members):
            if member.trainable == (number in frozen):
                member.trainable = number not in frozen


def _freeze_parts(model: keras.Model) -> None:
    """Freezes the parts of frozen layers, which Keras forgets: a file of Keras names no parts.

    Layers of a model are in the file, and so is whether they are frozen.
    """
    for _, layer in walk(model, "", set()):
        if layer.trainable or isinstance(layer, keras.Model | Composite):
            continue
        for _, part in list(walk(layer, "", set()))[:-1]:
            part.trainable = False


def _layers(model: keras.Model) -> list[keras.Layer]:
    """The model and all layers in it, each before its parts."""
    return [layer for _, layer in walk(model, "", set())][::-1]


def _numbers(trainable: Iterable[bool]) -> list[int]:
    return [number for number, each in enumerate(trainable) if not each]
