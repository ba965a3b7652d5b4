"""The entrance of every layer: the arguments of a call are checked and converted in one place.

It speaks before Keras and the backend do, so an error has the same words on every backend.
"""

import inspect
import operator
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, NoReturn

import keras
import numpy as np
from keras import ops

from keras_attention import kernels
from keras_attention.layers import plain_call

NUMBERS, INTEGERS, ANY, MASK = "numbers", "integers", "any numbers", "mask"
_REAL = ("float16", "float32", "float64")  # that NumPy and all backends have
_MOST_CALLS = 64  # of other shapes, that are remembered
_SPARSE = ("RaggedTensor", "SparseTensor", "IndexedSlices", "BCOO")


@dataclass(frozen=True)
class Argument:
    """An argument of `call`: the kind and the shapes of the tensors that a layer takes for it."""

    name: str
    kind: str
    forms: tuple[tuple[str, ...], ...]  # the sizes, by letter; none for a mask
    words: str  # the forms as they are written
    required: bool


class Entrance:
    """Mixin, before a Keras layer, that checks and converts the tensors that a call is given.

    A layer says what it takes, in words like those of its docstring:

    ```python
    takes = tensors(query="(B, T, D)", value="(B, S, D_v)")
    built_for = ("D", "D_v")
    ```

    Arguments whose names end in `mask` are masks. The same letter is the same size in all
    arguments of a call. Letters in `built_for` have the size that the layer was built for, names
    of settings (`units`) their value, and `...` is any number of axes. `or` stands between two
    forms. Whatever the dtype of an input, a layer computes in its own; words that begin with
    `integers` or `any numbers` leave this to the layer. Lists and NumPy arrays are taken like
    tensors.

    Raises:
        TypeError: an argument is no array of numbers.
        ValueError: an argument has another shape.
    """

    takes: ClassVar[Mapping[str, str]] = MappingProxyType({})
    built_for: tuple[str, ...] = ()
    _arguments: ClassVar[dict[str, Argument]]
    _call_order: ClassVar[tuple[str, ...]]
    _settings: ClassVar[frozenset[str]]
    _calls_keras: ClassVar[bool]
    _taken: Collection[tuple] = ()
    _built_sizes: tuple[tuple[str, tuple[int, None]], ...] | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        parameters = inspect.signature(cls.call).parameters  # type: ignore[attr-defined]
        cls._call_order = tuple(parameters)[1:]
        calls = [vars(base)["__call__"] for base in cls.__mro__ if "__call__" in vars(base)]
        behind = calls[calls.index(Entrance.__call__) + 1 :]
        cls._calls_keras = behind[:1] == [keras.layers.Layer.__call__]
        cls._arguments = {
            name: _parse_argument(name, cls.takes.get(name, MASK), parameters[name])
            for name in cls._call_order
            if name in cls.takes or name.endswith("mask")
        }
        settings = inspect.signature(cls.__init__).parameters
        cls._settings = frozenset(  # of which a size is the value
            size
            for argument in cls._arguments.values()
            for form in argument.forms
            for size in form
            if size in settings or hasattr(cls, size)
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        signature = kernels.signature((*args, *kwargs.values()))
        call = None if signature is None else (signature, *kwargs)
        if call is not None and call in self._taken:
            if self._calls_keras and plain_call.applies(self):  # type: ignore[arg-type]
                return plain_call.call(self, self._call_order, args, kwargs)  # type: ignore[arg-type]
            return super().__call__(*args, **kwargs)  # type: ignore[misc]
        given = (*args, *kwargs.values())
        args, kwargs = self._admit_all(args, kwargs)
        output = super().__call__(*args, **kwargs)  # type: ignore[misc]
        if call is not None and all(map(operator.is_, (*args, *kwargs.values()), given)):
            _keep(call, vars(self).setdefault("_taken", set()))  # which Keras would track
        return output

    def _admit_all(self, args: tuple, kwargs: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
        """Returns the arguments of a call as the layer computes with them."""
        sizes = self._known_sizes()
        takes = self._arguments
        admitted = []
        for name, x in zip(self._call_order, args, strict=False):
            admitted.append(self._admit(takes[name], x, sizes) if name in takes else x)
        kwargs = {
            name: self._admit(takes[name], x, sizes) if name in takes else x
            for name, x in kwargs.items()
        }
        return (*admitted, *args[len(admitted) :]), kwargs

    def _known_sizes(self) -> dict[str, tuple[int, str | None]]:
        """Returns known sizes by letter, each with the argument that has it: `None` for weights."""
        if not self.built_for or not self.built:  # type: ignore[attr-defined]
            return {}
        if self._built_sizes is None:
            self._built_sizes = tuple(self._sizes_of_weights())
        return dict(self._built_sizes)

    def _sizes_of_weights(self) -> Any:
        """Yields the letters in `built_for` and their sizes."""
        config = self.get_build_config() or {}  # type: ignore[attr-defined]
        only = {f"{self._call_order[0]}_shape": config.get("input_shape")}
        shapes = dict(config.get("shapes_dict") or only)
        shapes.setdefault("key_shape", shapes.get("value_shape"))  # where no keys are given
        for argument in self._arguments.values():
            shape = shapes.get(f"{argument.name}_shape") or ()
            for letter, size in _match(argument.forms, shape) or ():
                if letter in self.built_for and size is not None:
                    yield letter, (size, None)

    def _admit(self, argument: Argument, x: Any, sizes: dict) -> Any:
        """Returns `x` as the layer computes with it, or raises if the layer does not take it."""
        if not (ops.is_tensor(x) or isinstance(x, keras.KerasTensor)):
            if x is None and not argument.required:
                return None
            x = self._convert(argument, x)
        elif type(x).__name__ in _SPARSE:
            kind = type(x).__name__
            self._refuse(argument, f"a {kind}. Make it dense, with a mask for padding", TypeError)
        if argument.kind == MASK:
            return x  # whose shape depends on other arguments: `checks` looks at it
        dtype = _name_dtype(x.dtype)
        if dtype != "float32":
            x = self._cast(argument, x, dtype)
        self._check_shape(argument, x, sizes)
        return x

    def _convert(self, argument: Argument, x: Any) -> Any:
        """Returns `x` as a tensor, or as an array in the byte order of the machine."""
        kind = type(x).__name__
        if isinstance(x, keras.Variable):
            return ops.convert_to_tensor(x)
        if isinstance(x, (list, tuple)) and any(
            ops.is_tensor(part) or isinstance(part, keras.KerasTensor) for part in x
        ):
            self._refuse(
                argument,
                f"a {kind} of {len(x)} tensors. Pass arguments one by one, as in "
                f"`layer({', '.join(self._call_order[:2])})`, or join the tensors by `ops.stack`",
                TypeError,
            )
        try:
            array = np.asarray(x)
        except (ValueError, TypeError, RuntimeError):
            self._refuse(
                argument,
                f"a {kind} whose rows differ in length or are no numbers. Pad the rows to one "
                "length, and pass a mask",
            )
        if array.dtype.kind not in "biuf" and array.dtype.name != "bfloat16":
            if array.ndim:
                self._refuse(
                    argument,
                    f"an array of dtype {array.dtype}. Convert it to numbers first, as by "
                    f"{self._converter}",
                )
            self._refuse(argument, f"{argument.name}={_shorten(x)}")
        return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))

    @property
    def _converter(self) -> str:
        """Code that makes numbers of what the layer does not take."""
        raw = hasattr(self, "encodes")  # a `roles.Encoder`
        return "`ka.encode(model, ...)`" if raw else '`.astype("float32")`'

    def _cast(self, argument: Argument, x: Any, dtype: str) -> Any:
        """Returns `x` in the dtype of the layer, but for floats, which Keras itself casts."""
        if not dtype.startswith(("float", "bfloat", "int", "uint", "bool")):
            remedy = f"Convert it to real numbers, as by {self._converter}"
            self._refuse(argument, f"dtype {dtype}. {remedy}", TypeError)
        whole = not dtype.startswith(("float", "bfloat"))
        target = self.compute_dtype  # type: ignore[attr-defined]
        if argument.kind == NUMBERS and whole and target.startswith(("float", "bfloat")):
            if isinstance(x, np.ndarray):
                return x.astype(target if target in _REAL else "float32")
        elif isinstance(x, np.ndarray) and dtype not in (*_REAL, "bfloat16") and not whole:
            return x.astype("float64")  # the longer floats of some machines
        elif argument.kind == INTEGERS and dtype not in ("int32", "int64"):
            target = "int32"
        else:
            return x
        mask = getattr(x, "_keras_mask", None)
        x = ops.cast(x, target)
        if mask is not None:
            x._keras_mask = mask
        return x

    def _check_shape(self, argument: Argument, x: Any, sizes: dict) -> None:
        shape = x.shape
        pairs = _match(argument.forms, shape)
        if pairs is None:
            self._refuse(argument, f"{argument.name} of shape {tuple(shape)}")
        for letter, size in pairs:
            if size is None:
                continue
            known = sizes.get(letter)
            if known is None:
                known = sizes[letter] = (self._resolve_size(letter, size), argument.name)
            if size != known[0]:
                self._refuse_size(argument, x, letter, *known)

    def _resolve_size(self, letter: str, size: int) -> int:
        """Returns what a size must be: a number, the value of a setting, or `size` itself."""
        if letter in self._settings:
            return getattr(self, letter)
        return int(letter) if letter.isdigit() else size

    def _refuse_size(
        self, argument: Argument, x: Any, letter: str, size: int, source: str | None
    ) -> NoReturn:
        words = "" if letter.isdigit() else f" with {letter}={size}"
        remedy = ""
        if source is None:
            words += ", which the layer was built for"
            remedy = ". Make another layer for another size"
        elif source != argument.name:
            words += f", as `{source}` has"
        received = f"{argument.name} of shape {tuple(x.shape)}{remedy}"
        self._refuse(argument, received, given=words)

    def _refuse(
        self, argument: Argument, received: str, error: type = ValueError, *, given: str = ""
    ) -> NoReturn:
        what = f"have shape {argument.words}{given}" if argument.forms else "be a boolean mask"
        raise error(
            f"{type(self).__name__} {self.name!r}: `{argument.name}` must "  # type: ignore[attr-defined]
            f"{what}. Received: {received}."
        )


def _keep(call: tuple, taken: set[tuple]) -> None:
    """Adds a call to those whose arguments were taken as they are, so that the next like it is not
    looked at."""
    if len(taken) >= _MOST_CALLS:
        taken.clear()
    taken.add(call)


def tensors(**words: str) -> Mapping[str, str]:
    """Returns what a layer takes by the name of the argument; see `Entrance`."""
    return MappingProxyType(words)


def _match(forms: tuple[tuple[str, ...], ...], shape: Any) -> Iterable[tuple[str, int]] | None:
    """Returns the letters of the form that a shape has, and their sizes; `None` if it has none."""
    rank = len(shape)
    for form in forms:
        if len(form) == rank and "..." not in form:
            return zip(form, shape, strict=True)
        if "..." in form and rank >= len(form) - 1:
            before = form.index("...")
            after = len(form) - before - 1
            shape = tuple(shape)
            pairs = [*zip(form[:before], shape[:before], strict=True)]
            return [*pairs, *zip(form[before + 1 :], shape[rank - after :], strict=True)]
    return None


def _parse_argument(name: str, words: str, parameter: inspect.Parameter) -> Argument:
    """Returns the argument `name` of `call`, which `words` describe."""
    required = parameter.default is inspect.Parameter.empty
    if words == MASK:
        return Argument(name, MASK, (), "", required)
    kind = next((kind for kind in (INTEGERS, ANY) if words.startswith(kind)), NUMBERS)
    words = words.removeprefix(kind).strip()
    forms = tuple(tuple(form.strip("()").split(", ")) for form in words.split(" or "))
    return Argument(name, kind, forms, words, required)


def _name_dtype(dtype: Any) -> str:
    """Returns the name of a dtype, also of one that Keras does not have."""
    try:
        return keras.backend.standardize_dtype(dtype)
    except ValueError:
        return str(dtype)


def _shorten(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}..."
