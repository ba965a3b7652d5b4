"""Inputs of a request: values of JSON, checked and made what `ka.predict` takes."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from keras_attention import prediction, roles
from zoo.serve import media
from zoo.serve.limits import Limits, bad, too_large

# Returns a raw value of JSON's. It is told where this stands, for errors.
_Read = Callable[[Any, str], Any]


class Inputs:
    """The inputs of a model, as a request has them.

    An input is a text, or a pair of them in a list; an image or a recording in base64; an object of
    a table's columns; or an array in lists. Where a model has several inputs of different kinds it
    is an object of them by name.

    Args:
        model: functional.
        limits: of the server.

    Attributes:
        kinds: by the name of each input that a request has, the kind of its raw values, `None` for
            arrays.
        is_object: whether an input is an object by these names.
    """

    def __init__(self, model: keras.Model, limits: Limits) -> None:
        self._limits = limits
        self.encoders = prediction.encoders(model)
        if prediction.writes_text(model):  # what is written is no input
            del self.encoders["target_ids"]
        self._tensors = {tensor.name: tensor for tensor in model.inputs}
        self.kinds = {name: roles.encodes(layer) for name, layer in self.encoders.items()}
        kinds = set(self.kinds.values())
        self.is_object = len(self.kinds) > 1 and (len(kinds) > 1 or None in kinds)
        # Where all inputs get the same texts they may get their own as well.
        self._may_name = self.is_object or (len(self.kinds) > 1 and kinds == {"texts"})
        self._takes_words = any(map(roles.words, self.encoders.values()))

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of a table that the model reads."""
        tables = [layer for layer in self.encoders.values() if roles.encodes(layer) == "tables"]
        return tuple(dict.fromkeys(name for layer in tables for name in layer.names))

    @property
    def categories(self) -> dict[str, list[str]]:
        """The names that a column of categories may have, by the name of the column."""
        tables = [layer for layer in self.encoders.values() if hasattr(layer, "vocabularies")]
        return {
            name: words
            for layer in tables
            for name, words in zip(layer.names, layer.vocabularies, strict=True)
        }

    def read(self, value: Any) -> list[Any]:
        """Returns the rows of a request, of which `join` makes a batch.

        Raises:
            Refusal: one is not what the model reads, or above a limit.
        """
        if not isinstance(value, list) or not value:
            raise bad(
                f'`inputs` must be a list of at least one input: {{"inputs": [{self.example}]}}. '
                f"Received: {_show(value)}"
            )
        if len(value) > self._limits.inputs:
            raise too_large(
                f"A request may have {self._limits.inputs} inputs. Received: {len(value)}. Send "
                "them in parts."
            )
        return [self.read_one(each, f"inputs[{row}]") for row, each in enumerate(value)]

    def read_one(self, value: Any, where: str) -> Any:
        """Returns one row."""
        named = self._is_named(value)
        if not self.is_object and not named:
            name = next(iter(self.kinds))
            return self._read_value(name, value, where)
        if not named:
            raise bad(
                f"{where} must be an object with {', '.join(self.kinds)}. Received: "
                f"{', '.join(map(str, value))[:200] if isinstance(value, dict) else _show(value)}"
            )
        row = {name: self._read_value(name, value[name], f"{where}.{name}") for name in self.kinds}
        if "edges" in row and "features" in row:  # not every backend checks what it looks up
            nodes, edges = len(row["features"]), row["edges"]
            if edges.size and not 0 <= edges.min() <= edges.max() < nodes:
                raise bad(
                    f"{where}.edges must be numbers of the {nodes} nodes, from 0 on. Received: "
                    f"from {edges.min()} to {edges.max()}"
                )
        return row

    @property
    def example(self) -> str:
        """An input, as JSON."""
        each = {name: self._show_example(name) for name in self.kinds}
        if self.is_object:
            return "{" + ", ".join(f'"{name}": {value}' for name, value in each.items()) + "}"
        return next(iter(each.values()))

    def _show_example(self, name: str) -> str:
        if self.kinds[name] == "tables":
            return "{" + ", ".join(f'"{column}": ...' for column in self.columns[:3]) + "}"
        words = {"texts": '"a text"', "images": '"iVBORw0..."', "recordings": '"UklGR..."'}
        return words.get(self.kinds[name] or "", "[...]")

    def group(self, row: Any) -> tuple[Any, ...]:
        """Returns what rows have in common that can be in one batch: the shapes of arrays."""
        by_name = self._is_named(row)
        parts = row.values() if by_name else [row]
        shapes = [
            getattr(part, "shape", None) if kind is None else None
            for part, kind in zip(parts, self.kinds.values(), strict=False)
        ]
        return by_name, *shapes

    def _is_named(self, row: Any) -> bool:
        """Returns whether a row is an object with a value for each input."""
        return self._may_name and isinstance(row, dict) and set(row) == set(self.kinds)

    def join(self, rows: Sequence[Any]) -> Any:
        """Returns a batch of rows of one group, as `ka.predict` takes it."""
        if self.group(rows[0])[0]:
            return {name: self._join(name, [row[name] for row in rows]) for name in self.kinds}
        return self._join(next(iter(self.kinds)), list(rows))

    def _join(self, name: str, values: list[Any]) -> Any:
        return np.stack(values) if self.kinds[name] in (None, "images") else values

    def _read_value(self, name: str, value: Any, where: str) -> Any:
        layer, kind = self.encoders[name], self.kinds[name]
        if kind is None:
            return self._read_array(self._tensors[name], value, where)
        if kind == "texts":
            return self._read_text(layer, value, where)
        if kind == "images":
            return media.read_image(value, where, layer, self._limits)
        if kind == "recordings":
            return media.read_recording(value, where, layer, self._limits)
        if kind == "tables":
            return self._read_row(value, where)
        raise bad(f"This server cannot read {kind} from JSON.")

    def _read_text(self, layer: Any, value: Any, where: str) -> Any:
        if getattr(layer, "has_vocabulary", True) is False:
            ids = self._read_array(None, value, where)
            if ids.ndim != 1 or ids.dtype.kind != "i" or not ids.size or ids.min() < 0:
                raise bad(f"{where} must be a list of token ids, for the model has no vocabulary.")
            return ids.tolist()
        if isinstance(value, str):
            return self._check_text(value, where)
        if isinstance(value, list) and value and all(isinstance(each, str) for each in value):
            strings = [self._check_text(each, where) for each in value]
            self._check_text(" ".join(strings), where)
            if self._takes_words:
                return strings
            if len(strings) == 2:
                return tuple(strings)
        what = "a list of words" if self._takes_words else "a pair of texts in a list"
        raise bad(f"{where} must be a text, or {what}. Received: {_show(value)}")

    def _check_text(self, text: str, where: str) -> str:
        if len(text) > self._limits.characters:
            raise too_large(
                f"{where} may have {self._limits.characters:,} characters. Received: "
                f"{len(text):,}. Cut it in parts."
            )
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise bad(
                f"{where} has half a character ({text[error.start]!a}) at position {error.start}."
            ) from None
        return text

    def _read_row(self, value: Any, where: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise bad(
                f"{where} must be an object of the columns {', '.join(self.columns)}. Received: "
                f"{_show(value)}"
            )
        missing = [name for name in self.columns if name not in value]
        unknown = [name for name in value if name not in self.columns]
        if missing or (unknown and not self._are_others(unknown)):
            raise bad(
                f"{where} must have the columns {', '.join(self.columns)}. "
                + (f"Missing: {', '.join(missing)}. " if missing else "")
                + (f"Unknown: {', '.join(unknown)[:200]!a}" if unknown else "")
            )
        row = {name: self._read_field(value[name], f"{where}.{name}") for name in self.columns}
        for layer in self.encoders.values():
            try:
                layer.encode([{**dict.fromkeys(layer.row_names), **row}])
            except (ValueError, TypeError) as error:
                raise bad(f"{where}: {str(error)[:500]}") from None
        return row

    def _are_others(self, names: Sequence[str]) -> bool:
        """Returns whether a table has these columns, which the model does not read."""
        return all(name in layer.row_names for name in names for layer in self.encoders.values())

    def _read_field(self, value: Any, where: str) -> Any:
        if isinstance(value, str):
            return self._check_text(value, where)
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, (int, float)) and abs(value) < 2.0**63:  # a NaN is not
            return value
        raise bad(f"{where} must be a number, a text or null. Received: {_show(value)}")

    def _read_array(self, tensor: Any, value: Any, where: str) -> np.ndarray:
        """Returns an array for an input that no layer encodes, of a row of its tensor's shape."""
        try:
            array = np.asarray(value) if isinstance(value, list) else None
        except (ValueError, OverflowError):  # rows differ, or too many axes
            array = None
        if array is None or array.dtype.kind not in "iuf" or not np.isfinite(array).all():
            raise bad(
                f"{where} must be an array: lists of finite numbers, all of one length. Received: "
                f"{_show(value)}"
            )
        if tensor is None:
            return array
        shape = tuple(tensor.shape[1:])
        if len(shape) == array.ndim + 1 and array.size == 0:  # no edges
            array = array.reshape(0, *(size or 0 for size in shape[1:]))
        fits = len(shape) == array.ndim and all(
            size in (None, given) for size, given in zip(shape, array.shape, strict=True)
        )
        if not fits:
            raise bad(
                f"{where} must have the shape {_show_shape(shape)}. Received: "
                f"{_show_shape(array.shape)}"
            )
        whole = not keras.backend.is_float_dtype(tensor.dtype)
        if whole and not (np.abs(array) < 2**31).all():
            raise bad(f"{where} has a number that is no 32-bit integer.")
        if whole and array.dtype.kind == "f" and (array != np.floor(array)).any():
            raise bad(f"{where} must have whole numbers.")
        return array.astype(tensor.dtype)


def _show(value: Any) -> str:
    """Returns in few words what a value of JSON is."""
    if isinstance(value, dict):
        return f"an object with {', '.join(map(ascii, list(value)[:5]))[:100] or 'nothing'}"
    if isinstance(value, list):
        inner = f" that begins with {_show(value[0])}" if value and not _is_deep(value) else ""
        return f"a list of {len(value)}{inner}"
    if isinstance(value, str):
        return f"the text {value[:60]!a}"
    if isinstance(value, float) and not math.isfinite(value):
        return "a number that is too large"
    return "null" if value is None else str(value).lower()[:40] if _is_short(value) else "a number"


def _is_deep(value: list[Any]) -> bool:
    return isinstance(value[0], list) and bool(value[0]) and isinstance(value[0][0], list)


def _is_short(value: Any) -> bool:
    """Whether it can be written: Python refuses integers of thousands of digits."""
    return not isinstance(value, int) or abs(value) < 10**40


def _show_shape(shape: Sequence[int | None]) -> str:
    return "(" + ", ".join("any" if size is None else str(size) for size in shape) + ")"
