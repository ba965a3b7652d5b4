"""Commands of the program, one per file, found by file name.

A command is a module whose docstring is its help: the first line says what it does, an indented one
is an example. It has `add_arguments(parser)`, and `run(args)`, which may raise
`argparse.ArgumentTypeError` where arguments do not go together. It imports nothing heavy before
`run` has checked them and `zoo.program.backend.choose` was called.
"""

import importlib
import pkgutil
from types import ModuleType


def names() -> list[str]:
    """Returns the names of all commands."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def load(name: str) -> ModuleType:
    """Returns the module of a command."""
    return importlib.import_module(f"{__name__}.{name}")


def promise(name: str) -> str:
    """Returns the first line of a command's docstring."""
    return (load(name).__doc__ or "").partition("\n")[0]
