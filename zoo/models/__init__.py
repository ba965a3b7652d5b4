"""Models, one file each: a function that returns a `keras.Model`, and its `VARIANTS`."""

import importlib
import pkgutil
from typing import Any

__all__ = sorted(module.name for module in pkgutil.iter_modules(__path__))


def __getattr__(name: str) -> Any:
    """Imports the file of a model when it is asked for, as in `zoo.models.vit.VARIANTS`."""
    if name in __all__:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module 'zoo.models' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
