"""Weights in the safetensors format, under names that people and other programs understand."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_attention.kernels import set_value
from keras_attention.saving.errors import DamagedFileError, FileError, NewerFileError, cause
from keras_attention.saving.files import complete
from keras_attention.version import versions

FORMAT = 1
_DTYPES = {
    "bool": "BOOL",
    "int8": "I8",
    "int16": "I16",
    "int32": "I32",
    "int64": "I64",
    "uint8": "U8",
    "uint16": "U16",
    "uint32": "U32",
    "uint64": "U64",
    "float16": "F16",
    "bfloat16": "BF16",
    "float32": "F32",
    "float64": "F64",
}


def to_safetensors(model: keras.Model, path: str | Path) -> None:
    """Writes the weights of a model, completely or not at all.

    A weight goes by the layer's path and its own name, such as `block_0/attention/query_kernel`.
    On the path, a layer of a model goes by its name, a part of a layer by the attribute that
    holds it. Names that Keras makes up depend on what was built before; those count from the
    beginning of the model instead: `dense`, `dense_1`. So the same architecture has the same
    names in every session and on every backend.

    Args:
        model: is built. Its optimizer and the states of its random numbers are left out.
        path: of the file, as a rule `model.safetensors`; missing folders are made.

    Raises:
        ValueError: the model is not built, a weight is NaN or infinite or has a type that the
            format lacks, or two weights have one name.
        ImportError: safetensors is not installed.
    """
    library = import_safetensors()
    by_name = weights(model)
    arrays, problems = {}, []
    for name, variable in by_name.items():
        dtype = _dtype(variable)
        if dtype not in _DTYPES:
            problems.append(f"{name} has the type {dtype}, which the format lacks")
            continue
        array = keras.ops.convert_to_numpy(variable.value)
        # JAX holds what is said to be of 64 bits in 32, as a rule.
        arrays[name] = np.asarray(array, dtype=dtype, order="C")
        if not _finite(arrays[name]):
            problems.append(f"{name} is NaN or infinite")
    if problems:
        raise ValueError(f"`model` cannot be written to {path}:{_listed(problems)}")
    metadata = {"format": "keras", "keras_attention_format": str(FORMAT), **versions()}
    with complete(path) as temporary:
        library.numpy.save_file(arrays, temporary, metadata=metadata)


def from_safetensors(model: keras.Model, path: str | Path) -> None:
    """Gives a model the weights of a file with the names of `to_safetensors`.

    The file may come from anywhere: no code is in it. All of it is checked before the model is
    changed.

    Args:
        model: is built, with the architecture of the one that was saved.
        path: of the file.

    Raises:
        FileNotFoundError: there is no such file.
        DamagedFileError: it is truncated, or no safetensors file.
        NewerFileError: it was written by a later version, in another format.
        FileError: its tensors are not the model's. The message lists every one that is missing,
            that the model does not have, or that has another shape or type or is not finite.
        ValueError: the model is not built, or two of its weights have one name.
        ImportError: safetensors is not installed.
    """
    library = import_safetensors()
    if not Path(path).is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    by_name = weights(model)
    try:
        with library.safe_open(path, framework="numpy") as file:
            check_header(path)
            _check_format(file.metadata() or {}, path)
            arrays, problems = _read(file, by_name)
    except library.SafetensorError as error:
        raise DamagedFileError(f"{path}: It is no whole safetensors file: {error}.") from cause(
            error
        )
    if problems:
        raise FileError(f"{path}: Its tensors are not those of the model:{_listed(problems)}")
    for name, variable in by_name.items():
        set_value(variable, arrays[name])
    for _, layer in walk(model, "", set()):
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()  # It computes with tensors that it makes of its weights.


def weights(model: keras.Model) -> dict[str, keras.Variable]:
    """The weights of a model by the names of `to_safetensors`.

    Raises:
        ValueError: the model is not built, or two weights have one name.
    """
    if not model.built:
        raise ValueError(
            f"`model` must be built: call it on data once. Received: model={model.name!r}"
        )
    by_name: dict[str, keras.Variable] = {}
    left = {id(variable) for variable in model.weights}
    for path, layer in walk(model, "", set()):
        own = [variable for variable in layer.weights if id(variable) in left]
        left.difference_update(map(id, own))
        for name, variable in _numbered(own, lambda variable: "variable"):
            other = by_name.setdefault(path + name, variable)
            if other is not variable:
                raise ValueError(
                    f"Two weights of `model` would have the name {path + name!r}: {other.path} "
                    f"and {variable.path}. Give the layers, or the weights, other names."
                )
    return by_name


def walk(layer: keras.Layer, path: str, seen: set[int]) -> Iterator[tuple[str, keras.Layer]]:
    """The parts of a layer with their paths, each once and before what it is part of."""
    if id(layer) not in seen:
        seen.add(id(layer))
        for name, child in _children(layer):
            yield from walk(child, f"{path}{name}/", seen)
        yield path, layer


def _children(layer: keras.Layer) -> list[tuple[str, keras.Layer]]:
    if isinstance(layer, keras.Model):
        return _numbered(layer.layers, lambda child: _snake_case(type(child).__name__))
    attributes = {**vars(layer), **vars(layer).get("_modules", {})}  # PyTorch keeps them there
    return [
        child
        for name in sorted(set(attributes) - _of_any_layer())
        for child in _within(attributes[name], name.lstrip("_"))
    ]


@cache
def _of_any_layer() -> set[str]:
    """The attributes with which a backend keeps track of the others."""
    layer = keras.layers.Layer()
    layer.part = keras.layers.Layer()
    return set(vars(layer)) - {"part"}


def _within(value: Any, name: str) -> Iterator[tuple[str, keras.Layer]]:
    """The layers in an attribute, which may be a container of them."""
    if isinstance(value, keras.Layer):
        yield name, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _within(item, f"{name}_{key}")
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            yield from _within(item, f"{name}_{number}")


def _numbered(items: Iterable[Any], kind: Callable[[Any], str]) -> list[tuple[str, Any]]:
    """Items with their names; those that Keras made up, of `kind` and a number, count from 0."""
    named, counts = [], dict[str, int]()
    for item in items:
        name, made_up = item.name, kind(item)
        if re.fullmatch(rf"{re.escape(made_up)}(_\d+)?", name):
            count = counts[made_up] = counts.get(made_up, -1) + 1
            name = f"{made_up}_{count}" if count else made_up
        named.append((name, item))
    return named


def _snake_case(name: str) -> str:
    """A class's name as Keras makes one for a layer of it."""
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", name))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def _read(file: Any, by_name: Mapping[str, Any]) -> tuple[dict[str, np.ndarray], list[str]]:
    """The arrays of an open file, and whatever keeps them from being the model's."""
    names = set(file.keys())
    arrays, problems = {}, []
    for name in sorted(names | set(by_name)):
        if name not in names:
            problems.append(f"{name} is missing")
        elif name not in by_name:
            problems.append(f"{name} is not in the model")
        else:
            stored, variable = file.get_slice(name), by_name[name]
            shape, dtype = tuple(stored.get_shape()), stored.get_dtype()
            if shape != tuple(variable.shape):
                problems.append(f"{name} has shape {shape}, in the model {tuple(variable.shape)}")
            if dtype != _DTYPES.get(_dtype(variable)):
                problems.append(f"{name} has the type {dtype}, in the model {_dtype(variable)}")
            elif shape == tuple(variable.shape):
                arrays[name] = file.get_tensor(name)
                if not _finite(arrays[name]):
                    problems.append(f"{name} is NaN or infinite")
    return arrays, problems


def check_header(path: str | Path) -> None:
    """Refuses a file with a name that is there twice, of which the library takes the last."""
    with open(path, "rb") as file:
        header = file.read(int.from_bytes(file.read(8), "little"))
    try:
        json.loads(header, object_pairs_hook=_no_twins)
    except (ValueError, RecursionError) as error:
        raise DamagedFileError(f"{path}: It is no whole safetensors file: {error}.") from cause(
            error
        )


def _no_twins(pairs: list[tuple[str, Any]]) -> Mapping[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        names = Counter(name for name, _ in pairs)
        raise ValueError(f"its header has {names.most_common(1)[0][0]!r} twice")
    return content


def _check_format(metadata: Mapping[str, str], path: str | Path) -> None:
    written = metadata.get("keras_attention_format", str(FORMAT))
    if not re.fullmatch(r"\d{1,9}", written, re.ASCII):
        raise DamagedFileError(f"{path}: Its format is {written[:80]!r}, which is no number.")
    if int(written) > FORMAT:
        raise NewerFileError(
            f"{path}: It has format {written}; this version of keras_attention knows formats up "
            f"to {FORMAT}. Install a newer keras_attention."
        )


def _dtype(variable: keras.Variable) -> str:
    return keras.backend.standardize_dtype(variable.dtype)


def _finite(array: np.ndarray) -> bool:
    return array.dtype.kind in "biu" or bool(np.isfinite(array).all())


def _listed(problems: list[str]) -> str:
    return "".join(f"\n- {problem}" for problem in problems)


def import_safetensors() -> Any:
    """Returns the library of the format, or raises `ImportError` that says how to install it."""
    try:
        import safetensors.numpy
    except ImportError as error:
        raise ImportError(
            'safetensors files need safetensors: python -m pip install "keras-attention[hub]"'
        ) from error
    return safetensors
