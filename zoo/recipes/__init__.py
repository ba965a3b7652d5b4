"""Experiments, one per file, found by file name.

A recipe is a module with a function `recipe(*, variant, seed, smoke) -> Recipe` of
`zoo.harness.experiment`. The first line of its docstring is its promise. Nothing is imported
before it is asked for, so that a script can list the recipes without a backend.
"""

import ast
import importlib
import pkgutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any


def names() -> list[str]:
    """Returns the names of all recipes."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def promise(name: str) -> str:
    """Returns the first line of a recipe's docstring."""
    return (ast.get_docstring(_parse(f"{__name__}.{name}")) or "").partition("\n")[0]


def variants(name: str) -> list[str]:
    """Returns the names of a recipe's variants.

    They are the keys of its `VARIANTS`, as written out in its file, or in the file of the model
    that it imports them from.
    """
    return _variants(f"{__name__}.{name}")


def load(name: str) -> Callable[..., Any]:
    """Returns the function `recipe(*, variant, seed, smoke) -> Recipe` of the recipe `name`.

    Raises:
        ValueError: there is no such recipe.
        ModuleNotFoundError: a library that the recipe needs is not installed.
    """
    if name not in names():
        raise ValueError(f"There is no recipe {name!r}. Recipes: {', '.join(names())}")
    try:
        return importlib.import_module(f"{__name__}.{name}").recipe
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f'The recipe {name!r} needs {error.name}: python -m pip install "keras-attention[zoo]"',
            name=error.name,
        ) from error


def _parse(module: str) -> ast.Module:
    return ast.parse(Path(find_spec(module).origin).read_text(encoding="utf-8"))


def _variants(module: str) -> list[str]:
    for node in _parse(module).body:
        match node:
            case ast.ImportFrom(names=names) if "VARIANTS" in [a.asname or a.name for a in names]:
                return _variants(str(node.module))
            case (
                ast.Assign(targets=[ast.Name("VARIANTS")], value=value)
                | ast.AnnAssign(target=ast.Name("VARIANTS"), value=value)
            ):
                if isinstance(value, ast.DictComp):  # {name: ... for name in ("default", ...)}
                    return list(ast.literal_eval(value.generators[0].iter))
                return [ast.literal_eval(key) for key in value.keys]
    raise ValueError(f"{module} has no VARIANTS.")
