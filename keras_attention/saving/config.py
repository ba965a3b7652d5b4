"""The configuration of a model, checked before anything is built from it."""

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
_NAMES = ("module", "class_name", "registered_name")
_NO_SIZES = {
    "batch_shape", "bin_boundaries", "boundaries", "mask_value", "max_value", "salt", "values",
    "vocabulary",
}  # fmt: skip
_RANK = 16  # of a list that may be a shape
# A key and where it is, outermost last: a path is written out only for a message.
Where = tuple[Any, Any] | None
OURS = ("keras_attention>", "zoo>")  # as our classes are registered
_HOMES = ("keras_attention.", "zoo.")  # where they are, or were when the file was saved


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
            if name.startswith(OURS) and cls.__module__.startswith(_HOMES)
        }
        self.allowed = {keras.saving.get_registered_name(each): each for each in allow}
        self.refused_strings = registered.keys() - self.allowed.keys()
        self.classes: set[str] = set()
        self.objects = 0
        self.values = 0
        self._largest: tuple[int, Where] = (0, None)

    @property
    def custom_objects(self) -> dict[str, Any]:
        return {**self.own, **self.allowed}

    def check(self, config: Any) -> Any:
        """The configuration with nothing in it that could be read another way.

        Raises:
            RefusedFileError: it names what it may not, or is too large.
        """
        return self._value(config, None, 0)

    def check_sizes(self, numbers: int) -> None:
        """Refuses a layer, an optimizer or a metric of a size that the weights do not back.

        Args:
            numbers: how many the file's weights are.

        Raises:
            RefusedFileError: a size is more than the weights and `limits.parameters` together.
        """
        largest, where = self._largest
        if largest > numbers + self.limits.parameters:
            raise exceeded(
                _path(where),
                f"{largest:,} with {numbers:,} weights in the file",
                "parameters",
                f"{self.limits.parameters:,} more",
            )

    def _value(self, value: Any, where: Where, depth: int) -> Any:
        if depth > self.limits.config_depth:
            raise exceeded(
                "The configuration's depth", depth, "config_depth", self.limits.config_depth
            )
        if isinstance(value, dict):
            self._count(len(value))
            # Keras builds an object of what has both, and of nothing else.
            names = _NAMES if value.keys() >= {"class_name", "config"} else ()
            checked = {
                key: each if key in names else self._part(each, (where, key), depth)
                for key, each in value.items()
            }
            return self._object(_public(checked), where) if names else checked
        self._count(len(value))
        return [self._part(each, (where, i), depth) for i, each in enumerate(value)]

    def _part(self, value: Any, where: Where, depth: int) -> Any:
        if isinstance(value, dict | list):
            return self._value(value, where, depth + 1)
        if isinstance(value, int) and abs(value) >= _LARGEST:
            raise RefusedFileError(f"{_path(where)} is a number of {value.bit_length()} bits.")
        if isinstance(value, str) and value in self.refused_strings:
            raise RefusedFileError(
                f"{_path(where)} is {value!r}, the name of a registered object.", _how(value)
            )
        return value

    def _count(self, values: int) -> None:
        self.values += values
        if self.values > self.limits.values:
            limit = f"{self.limits.values:,}"
            raise exceeded("The number of its values", f"more than {limit}", "values", limit)

    def _object(self, config: dict[str, Any], where: Where) -> dict[str, Any]:
        """Checks what a dict with a `class_name` names."""
        self.objects += 1
        if self.objects > self.limits.objects:
            raise exceeded(
                "The number of its objects", self.objects, "objects", self.limits.objects
            )
        name, module = config["class_name"], config.get("module")
        registered = config.get("registered_name")
        if not all(isinstance(each, str | None) for each in (name, module, registered)):
            raise RefusedFileError(
                f"{_path(where)} names a class by something that is not a string."
            )
        if isinstance(name, str) and name.startswith("__"):
            return self._special(config, name, where)
        inner = config["config"]
        if name == "function":
            return self._function(config, module, inner, where)
        if registered in self.allowed:
            self.classes.add(str(registered))
            cls = self.allowed[registered]  # which may have been in another module then
            return config | {"module": cls.__module__, "class_name": cls.__name__}
        if isinstance(inner, dict):
            self._sizes(inner, (where, "config"))
        if registered in self.own:
            cls = self.own[registered]
            if name != cls.__name__ or not str(module).startswith(_HOMES):
                raise RefusedFileError(f"{_path(where)} calls {registered!r} {module}.{name}.")
            self.classes.add(str(registered))
            return config | {"module": cls.__module__}  # which may have been in another file then
        if not allowed.is_class(module, name) or registered not in (None, name):
            raise RefusedFileError(
                f"{_path(where)} is {_named(module, name, registered)}, which is not on the list "
                "of what a file may hold.",
                _how(name),
            )
        if isinstance(inner, dict):
            self._setting(inner, str(name), where)
        self.classes.add(str(name))
        return config | {"registered_name": None}  # or a registered twin would be built instead

    def _sizes(self, inner: dict[str, Any], where: Where) -> None:
        """Notes the largest number that may be a size."""
        for key, value in inner.items():
            if key in _NO_SIZES or "seed" in key or "steps" in key:
                continue
            if isinstance(value, dict) and "class_name" not in value:  # settings of a layer's parts
                self._sizes(value, (where, key))
            for each in value if isinstance(value, list) and len(value) <= _RANK else [value]:
                if type(each) is int and each > self._largest[0]:
                    self._largest = each, (where, key)

    def _function(
        self, config: dict[str, Any], module: str | None, name: Any, where: Where
    ) -> dict[str, Any]:
        if isinstance(name, str) and (name in self.allowed or allowed.is_function(module, name)):
            return config
        raise RefusedFileError(
            f"{_path(where)} is the function {name!r} of {module}, which is not on the list of "
            "what a file may hold.",
            _how(name),
        )

    def _special(self, config: dict[str, Any], name: str, where: Where) -> dict[str, Any]:
        """Values that Keras writes as objects: tensors, slices."""
        inner = config.get("config")
        if name in ("__numpy__", "__tensor__", "__keras_tensor__"):
            dtype = inner.get("dtype") if isinstance(inner, dict) else None
            symbolic = name == "__keras_tensor__" and dtype == "string"
            if not symbolic and (not isinstance(dtype, str) or dtype not in _DTYPES):
                raise RefusedFileError(f"{_path(where)} is an array that is not of numbers.")
        elif name == "__lambda__":
            raise RefusedFileError(
                f"{_path(where)} is a Python lambda, that is code.",
                "Replace it by a layer; or load the file by `keras.saving.load_model(path, "
                "safe_mode=False)`, which runs that code.",
            )
        elif name not in ("__slice__", "__ellipsis__", "__bytes__"):
            raise RefusedFileError(f"{_path(where)} is of the type {name!r}, which no model needs.")
        return config

    def _setting(self, inner: dict[str, Any], name: str, where: Where) -> None:
        """Refuses what some of Keras's own layers may do."""
        for key in ("vocabulary", "idf_weights") if name in _LOOKUPS else ():
            if isinstance(inner.get(key), str):
                raise RefusedFileError(
                    f"{_path(where)} is a {name} that reads the file {inner[key]!r}.",
                    f"Give it the `{key}` itself, a list, and save it anew.",
                )
        patterns = inner.get(_PATTERNS.get(name, ""))
        for pattern in patterns if isinstance(patterns, dict) else ():
            if not _PATTERN.fullmatch(pattern):
                raise RefusedFileError(
                    f"{_path(where)} has the pattern {pattern!r:.100}, which could take forever.",
                    "Save it anew with the paths themselves, or with `.*` at most twice in each.",
                )
        if inner.get("stateful") and not self.limits.stateful:
            raise RefusedFileError(
                f"{_path(where)} is a {name} with a state for each row of a batch.",
                "If you trust the file, pass `limits=ka.saving.Limits(stateful=True)`.",
            )


def _path(where: Where) -> str:
    """Where something is in the configuration, such as `config.json/config/layers/2`."""
    keys = []
    while where is not None:
        where, key = where
        keys.append(f"{key!s:.80}")
    return "/".join(["config.json", *reversed(keys)])


def _named(module: str | None, name: str | None, registered: str | None) -> str:
    return f"{module}.{name}" + (
        f", registered as {registered!r}" if registered not in (None, name) else ""
    )


def _how(name: object) -> str:
    return f"If you trust it, import it and pass `allow=[{str(name).rpartition('>')[2][:80]}]`."
