"""A file for each family of published checkpoints: what the tests make of it, found by name."""

import importlib
import pkgutil
from pathlib import Path

from tests.zoo.pretrained.cases.case import Case

CASES = {
    info.name: value
    for info in pkgutil.iter_modules([str(Path(__file__).parent)])
    if isinstance(
        value := getattr(importlib.import_module(f"{__name__}.{info.name}"), "CASE", 0), Case
    )
}
