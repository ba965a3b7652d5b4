"""The options of a function, read from its source: its signature and its docstring.

The file is not imported, since it would import Keras.
"""

import argparse
import ast
import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from zoo.program import console, paths

_NO_DEFAULT = object()


@dataclass(frozen=True)
class Parameter:
    """A parameter of a function, as an option of a command line.

    Attributes:
        name: in Python.
        kind: its annotation, without `None`: `str`, `Table`.
        default: its default; `_NO_DEFAULT` if it must be given.
        help: what the docstring says of it.
    """

    name: str
    kind: str
    default: Any
    help: str

    def add_argument(self, parser: argparse.ArgumentParser) -> None:
        """Adds the option to a parser."""
        option = f"--{self.name.replace('_', '-')}"
        help = _for_the_command_line(self.help)
        if self.default is _NO_DEFAULT:
            parser.add_argument(option, dest=self.name, required=True, help=help, **self._form())
            return
        if self.default not in (None, ()) and self.kind != "bool":
            help += f"; {self.default}"
        parser.add_argument(option, dest=self.name, default=self.default, help=help, **self._form())

    def _form(self) -> dict[str, Any]:
        """Returns how many words the option takes, and their type."""
        kind = self.kind
        if kind == "bool":
            return {
                "action": argparse.BooleanOptionalAction if self.default is True else "store_true"
            }
        if kind.startswith("Sequence["):
            return {"nargs": "+", "type": self._type_of(kind[len("Sequence[") : -1])}
        settings: dict[str, Any] = {"type": self._type_of(kind)}
        if kind.startswith("Literal["):
            settings["metavar"] = "|".join(ast.literal_eval(kind[len("Literal") :]))
        elif _is_data(kind):
            settings["metavar"] = "PATH"
        return settings

    def _type_of(self, kind: str) -> Callable[[str], Any]:
        if kind.startswith("Literal["):
            return console.one_of(self.name, ast.literal_eval(kind[len("Literal") :]))
        if kind == "int":  # none of them may be negative, and a seed alone may be zero
            return console.at_least(0 if self.default == 0 else 1)
        if kind == "float":
            return console.number
        return paths.existing if _is_data(kind) else str


@dataclass(frozen=True)
class Signature:
    """A function as a command.

    Attributes:
        promise: the first line of its docstring.
        description: the promise and what stands between it and the arguments, an example perhaps.
        parameters: in their order.
    """

    promise: str
    description: str
    parameters: tuple[Parameter, ...]


def read(module: str, function: str) -> Signature:
    """Returns what a function of a module takes.

    Raises:
        ValueError: the module has no such function, or a parameter is not documented.
    """
    spec = find_spec(module)
    name = function.replace("-", "_")
    tree = ast.parse(Path(str(spec and spec.origin)).read_text(encoding="utf-8"))
    node = next((n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == name), None)
    if node is None:
        raise ValueError(f"{module} has no function {name}.")
    docstring = ast.get_docstring(node) or ""
    entries = read_entries(docstring)
    defaults = [*node.args.defaults, *node.args.kw_defaults]
    arguments = [*node.args.args, *node.args.kwonlyargs]
    missing = [each.arg for each in arguments if each.arg not in entries]
    if missing:
        raise ValueError(f"{module}.{name} does not document {', '.join(missing)}.")
    required = [_NO_DEFAULT] * (len(arguments) - len(defaults))
    values = [_NO_DEFAULT if each is None else ast.literal_eval(each) for each in defaults]
    return Signature(
        promise=docstring.partition("\n")[0],
        description=re.split(r"\n(?=Args:\n)", docstring)[0].rstrip(),
        parameters=tuple(
            Parameter(each.arg, _read_kind(each.annotation), default, entries[each.arg])
            for each, default in zip(arguments, [*required, *values], strict=True)
        ),
    )


def read_entries(docstring: str) -> dict[str, str]:
    """Returns what the part `Args:` of a docstring says of each name, in one line."""
    part = re.search(r"^Args:\n((?:[ ]+.*\n|\n)*)", inspect.cleandoc(docstring) + "\n", re.M)
    entries: dict[str, str] = {}
    for entry in re.split(r"\n(?=    \S)", part[1] if part else ""):
        names, _, text = entry.partition(":")
        for name in names.split(","):
            entries[name.strip()] = " ".join(text.split()).rstrip(".")
    return entries


def _for_the_command_line(text: str) -> str:
    """Returns the help of a parameter without what a command line does not have."""
    text = re.sub(r",? or what `[\w.]+` takes", "", text)
    return text.replace("if `None`", "if it is not given").replace("%", "%%")


def _read_kind(annotation: ast.expr | None) -> str:
    written = "str" if annotation is None else ast.unparse(annotation)
    return written.removesuffix(" | None")


def _is_data(kind: str) -> bool:
    """Returns whether an annotation is of data, such as `Table`, and not of a plain value."""
    return kind not in ("str", "int", "float", "bool") and not kind.startswith("Literal[")
