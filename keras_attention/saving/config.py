"""The configuration of a model, checked before anything is built from it."""

import math
import re
from collections.abc import Callable, Sequence
from typing import Any

import keras

from keras_attention.saving import allowed
from keras_attention.saving.errors import RefusedFileError
from keras_attention.saving.limits import Limits, exceeded

# Keras on PyTorch names its own subclasses, which no other backend has.
_TORCH_OPTIMIZER = re.compile(r"keras\.src\.backend\.torch\.optimizers\.torch_\w+")
_LOOKUPS = ("IntegerLookup", "StringLookup")
_DTYPES = {
    "bool", "bfloat16", "float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8",
    "uint16", "uint32", "uint64",
}  # fmt: skip
# Keras takes these keys as regular expressions; of these none takes long.
_PATTERNS = {"DTypePolicyMap": "policy_map", "OptimizerMap": "optimizer_map"}
_PATTERN = re.compile(r"[\w/.-]*(\.\*[\w/.-]*){0,2}", re.ASCII)
_LARGEST = 2**63
OURS = "keras_attention>"


def portable(config: Any) -> Any:
    """`config` with Keras's public name for each optimizer that PyTorch's backend renamed."""
    if isinstance(config, list | tuple):
        return [portable(value) for value in config]
    if isinstance(config, dict):
        return _public({key: portable(value) for key, value in config.items()})
    return config


def _public(config: dict[str, Any]) -> dict[str, Any]:
    if _TORCH_OPTIMIZER.fullmatch(str(config.get("module"))):
        return config | {"module": "keras.optimizers", "registered_name": None}
    return config


class Checker:
    """Checks a configuration, and knows afterwards what it names.

    Args:
        allow: classes and functions beyond Keras's and ours that the configuration may name.
        limits: of its size.
    """

    def __init__(self, allow: Sequence[type | Callable], limits: Limits) -> None:
        registered = keras.saving.get_custom_objects()
        self.limits = limits
        self.own = {
            name: cls
            for name, cls in registered.items()
            if name.startswith(OURS) and cls.__module__.startswith(("keras_attention.", "zoo."))
        }
        self.allowed = {keras.saving.get_registered_name(each): each for each in allow}
        self.refused_strings = registered.keys() - self.allowed.keys()
        self.classes: set[str] = set()
        self.objects = 0

    @property
    def custom_objects(self) -> dict[str, Any]:
        return {**self.own, **self.allowed}

    def check(self, config: Any) -> Any:
        """The configuration with nothing in it that could be read another way.

        Raises:
            RefusedFileError: it names what it may not, or is too large.
        """
        return self._value(config, "config.json", 0)

    def _value(self, value: Any, where: str, depth: int) -> Any:
        if depth > self.limits.config_depth:
            raise exceeded(
                "The configuration's depth", depth, "config_depth", self.limits.config_depth
            )
        if isinstance(value, dict):
            value = {
                key: self._value(each, f"{where}/{key}", depth + 1)
                if key not in ("module", "class_name", "registered_name")
                else each
                for key, each in value.items()
            }
            return self._object(_public(value), where) if "class_name" in value else value
        if isinstance(value, list):
            return [self._value(each, f"{where}/{i}", depth + 1) for i, each in enumerate(value)]
        if isinstance(value, int) and abs(value) >= _LARGEST:
            raise RefusedFileError(f"{where} is a number of {value.bit_length()} bits.")
        if isinstance(value, str) and value in self.refused_strings:
            raise RefusedFileError(
                f"{where} is {value!r}, the name of a registered object.", _how(value)
            )
        return value

    def _object(self, config: dict[str, Any], where: str) -> dict[str, Any]:
        """Checks what a dict with a `class_name` names."""
        self.objects += 1
        if self.objects > self.limits.objects:
            raise exceeded(
                "The number of its objects", self.objects, "objects", self.limits.objects
            )
        name, module = config["class_name"], config.get("module")
        registered = config.get("registered_name")
        if not all(isinstance(each, str | None) for each in (name, module, registered)):
            raise RefusedFileError(f"{where} names a class by something that is not a string.")
        if isinstance(name, str) and name.startswith("__"):
            return self._special(config, name, where)
        inner = config.get("config")
        if name == "function":
            return self._function(config, module, inner, where)
        if registered in self.allowed:
            self.classes.add(str(registered))
            return config
        if registered in self.own:
            cls = self.own[registered]
            if (module, name) != (cls.__module__, cls.__name__):
                raise RefusedFileError(f"{where} calls {registered!r} {module}.{name}.")
            self.classes.add(str(registered))
            return config
        if not allowed.is_class(module, name) or registered not in (None, name):
            raise RefusedFileError(
                f"{where} is {_named(module, name, registered)}, which is not on the list of what "
                "a file may hold.",
                _how(name),
            )
        if isinstance(inner, dict):
            self._setting(inner, str(name), where)
        self.classes.add(str(name))
        return config | {"registered_name": None}  # or a registered twin would be built instead

    def _function(
        self, config: dict[str, Any], module: str | None, name: Any, where: str
    ) -> dict[str, Any]:
        if isinstance(name, str) and (name in self.allowed or allowed.is_function(module, name)):
            return config
        raise RefusedFileError(
            f"{where} is the function {name!r} of {module}, which is not on the list of what a "
            "file may hold.",
            _how(name),
        )

    def _special(self, config: dict[str, Any], name: str, where: str) -> dict[str, Any]:
        """Values that Keras writes as objects: tensors, slices."""
        inner = config.get("config")
        if name in ("__numpy__", "__tensor__", "__keras_tensor__"):
            dtype = inner.get("dtype") if isinstance(inner, dict) else None
            symbolic = name == "__keras_tensor__" and dtype == "string"
            if not symbolic and (not isinstance(dtype, str) or dtype not in _DTYPES):
                raise RefusedFileError(f"{where} is an array that is not of numbers.")
        elif name == "__lambda__":
            raise RefusedFileError(
                f"{where} is a Python lambda, that is code.",
                "Replace it by a layer; or load the file by `keras.saving.load_model(path, "
                "safe_mode=False)`, which runs that code.",
            )
        elif name not in ("__slice__", "__ellipsis__", "__bytes__"):
            raise RefusedFileError(f"{where} is of the type {name!r}, which no model needs.")
        return config

    def _setting(self, inner: dict[str, Any], name: str, where: str) -> None:
        """Refuses what some of Keras's own layers may do."""
        for key in ("vocabulary", "idf_weights") if name in _LOOKUPS else ():
            if isinstance(inner.get(key), str):
                raise RefusedFileError(
                    f"{where} is a {name} that reads the file {inner[key]!r}.",
                    f"Give it the `{key}` itself, a list, and save it anew.",
                )
        patterns = inner.get(_PATTERNS.get(name, ""))
        for pattern in patterns if isinstance(patterns, dict) else ():
            if not _PATTERN.fullmatch(pattern):
                raise RefusedFileError(
                    f"{where} has the pattern {pattern!r:.100}, which could take forever.",
                    "Save it anew with the paths themselves, or with `.*` at most twice in each.",
                )
        if inner.get("stateful") and not self.limits.stateful:
            raise RefusedFileError(
                f"{where} is a {name} with a state for each row of a batch.",
                "If you trust the file, pass `limits=ka.saving.Limits(stateful=True)`.",
            )
        shape = inner.get("batch_shape")
        if name == "InputLayer" and isinstance(shape, list):
            size = math.prod(each for each in shape if isinstance(each, int))
            if size > self.limits.input_numbers:
                raise exceeded(
                    f"The size of {where}",
                    f"{size:,}",
                    "input_numbers",
                    f"{self.limits.input_numbers:,}",
                )


def _named(module: str | None, name: str | None, registered: str | None) -> str:
    return f"{module}.{name}" + (
        f", registered as {registered!r}" if registered not in (None, name) else ""
    )


def _how(name: object) -> str:
    return f"If you trust it, import it and pass `allow=[{str(name).rpartition('>')[2][:80]}]`."
