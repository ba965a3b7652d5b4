"""Settings of the parts of a layer that are not those which its arguments give them."""

import inspect
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import keras
import numpy as np

Settings = Mapping[str, Mapping[str, Any]]  # by the part's path and the setting's name, as JSON

_POLICY = "dtype_policy"
_OF_QUANTIZING = (_POLICY, "quantization_config")  # `quantize` sets them, and saves them otherwise
_PLAIN = (bool, int, float, str, type(None))
_OBJECTS = (
    keras.initializers.Initializer,
    keras.regularizers.Regularizer,
    keras.constraints.Constraint,
    keras.DTypePolicy,
)
_INCOMPARABLE = object()


def parts(layer: keras.Layer) -> Iterator[tuple[str, keras.Layer]]:
    """The layers in the attributes of a layer, and theirs, with paths like `attention.query`."""
    attributes = {**vars(layer), **vars(layer).get("_modules", {})}  # PyTorch keeps them there
    for name, part in attributes.items():
        if isinstance(part, keras.Layer):
            yield name, part
            for path, inner in parts(part):
                yield f"{name}.{path}", inner


def alike(layer: keras.Layer, example: keras.Layer) -> bool:
    """Whether the parts of two layers have the same settings."""
    return not any(_changed(layer, example))


def differences(layer: keras.Layer, rebuilt: keras.Layer) -> Settings:
    """Returns the settings to make on the parts of `rebuilt`, and makes them.

    Args:
        layer: as it is.
        rebuilt: the layer that its configuration makes.

    Raises:
        ValueError: JSON cannot hold a setting, or a part is of another class.
    """
    by_path: dict[str, dict[str, Any]] = {}
    for path, part, other, name in _changed(layer, rebuilt):
        if type(other) is not type(part):
            raise ValueError(
                f"{_named(layer)} was given another part than its arguments make, and its "
                f"configuration cannot keep it: `{path}` must be a {type(other).__name__}. Make a "
                f"layer of your own for it. Received: {path}={part!r}"
            )
        value = _kept(layer, path, name, _settings(part)[name], other)
        by_path.setdefault(path, {})[name] = value
    return by_path


def _changed(
    layer: keras.Layer, rebuilt: keras.Layer
) -> Iterator[tuple[str, keras.Layer, keras.Layer, str]]:
    """The path, both parts and the name of each setting that differs, or parts of two classes.

    A part that `rebuilt` lacks was made by building.
    """
    others = dict(parts(rebuilt))
    for path, part in parts(layer):
        other = others.get(path)
        if other is None:
            continue
        if type(other) is not type(part):
            yield path, part, other, ""
            continue
        settings, original = _settings(part), _settings(other)
        for name in sorted(settings.keys() & original.keys()):
            if _comparable(settings[name]) != _comparable(original[name]):
                yield path, part, other, name


def restore(layer: keras.Layer, by_path: Settings) -> None:
    """Makes the settings that `differences` returned on the parts of a layer.

    Raises:
        ValueError: there is no such part or setting.
    """
    by_name = dict(parts(layer))
    for path, settings in by_path.items():
        for name, value in settings.items():
            if path not in by_name or name not in _settings(by_name[path]):
                raise ValueError(
                    f"{_named(layer)} has no setting `{path}.{name}`, which its configuration has."
                )
            _set(by_name[path], name, value)


def _kept(layer: keras.Layer, path: str, name: str, value: Any, other: keras.Layer) -> Any:
    """Returns a setting as JSON, after making it on the part `other`."""
    before = getattr(other, name)
    try:
        kept = _as_json(value)
        _set(other, name, kept)
        if _comparable(getattr(other, name)) == _comparable(value):
            return kept
        reason: Exception | None = None
    except Exception as error:  # whatever the part or the value has against it
        reason = error
    raise ValueError(
        f"{_named(layer)} cannot keep in its configuration what was set on a part: `{path}.{name}` "
        f"is {value!r:.80}, and its arguments make it {before!r:.80}. Set a value that JSON can "
        "hold, or make the layer with it."
    ) from reason


def _set(part: keras.Layer, name: str, value: Any) -> None:
    if isinstance(value, dict):
        value = keras.saving.deserialize_keras_object(value)
    setattr(part, name, value)


def _settings(part: keras.Layer) -> dict[str, Any]:
    """The arguments of a layer's constructor that it keeps as attributes, and its policy."""
    kind: Any = type(part)
    attributes = vars(part)
    settings = {name: attributes[name] for name in _arguments(kind) if name in attributes}
    settings[_POLICY] = part.dtype_policy
    if part.dtype_policy.quantization_mode is not None:
        for name in _OF_QUANTIZING:
            settings.pop(name, None)
    return settings


@cache
def _arguments(layer: type[keras.Layer]) -> frozenset[str]:
    """The names of what the constructors of a class take, up to Keras's base."""
    classes = layer.__mro__[: layer.__mro__.index(keras.Layer)]
    own = [vars(cls)["__init__"] for cls in classes if "__init__" in vars(cls)]
    return frozenset(name for init in own for name in inspect.signature(init).parameters)


def _comparable(value: Any) -> Any:
    """Returns what `==` compares a setting by; settings that nothing tells apart are alike."""
    if isinstance(value, list | tuple):  # JSON has but one of them
        # Building makes of a norm's one axis a list of it.
        return [_comparable(each) for each in value] if len(value) != 1 else _comparable(value[0])
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, _OBJECTS):
        return type(value), value.get_config()
    return value if isinstance(value, _PLAIN) or inspect.isfunction(value) else _INCOMPARABLE


def _as_json(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_as_json(each) for each in value]
    if isinstance(value, np.generic):
        return value.item()
    return value if isinstance(value, _PLAIN) else keras.saving.serialize_keras_object(value)


def _named(layer: keras.Layer) -> str:
    return f"{type(layer).__name__} {layer.name!r}"
