"""Benchmarks, one per file, found by file name.

A benchmark is a module with a function `cases(*, scale) -> Iterator[Case]`; `scale` is "quick",
"cpu" or "gpu". The first line of its docstring is its promise. Nothing is imported before it is
asked for, so that a script can list the benchmarks without a backend.
"""

import ast
import importlib
import pkgutil
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any


def names() -> list[str]:
    """Returns the names of all benchmarks."""
    modules = (module.name for module in pkgutil.iter_modules(__path__) if not module.ispkg)
    return sorted(name for name in modules if _defines_cases(_parsed(name)))


def promise(name: str) -> str:
    """Returns the first line of a benchmark's docstring."""
    return (ast.get_docstring(_parsed(name)) or "").partition("\n")[0]


def load(name: str) -> Callable[..., Iterator[Any]]:
    """Returns the function `cases(*, scale)` of the benchmark `name`."""
    return importlib.import_module(f"{__name__}.{name}").cases


def _parsed(name: str) -> ast.Module:
    return ast.parse(Path(find_spec(f"{__name__}.{name}").origin).read_text(encoding="utf-8"))


def _defines_cases(tree: ast.Module) -> bool:
    return any(isinstance(node, ast.FunctionDef) and node.name == "cases" for node in tree.body)
