"""The zoo's models and their cases, found by file name."""

import importlib
import pkgutil

from zoo import models

MODELS = [
    module.name
    for module in pkgutil.iter_modules(models.__path__)
    if hasattr(importlib.import_module(f"zoo.models.{module.name}"), "VARIANTS")
]


def cases_of(name):
    return importlib.import_module(f"tests.zoo.models.test_{name}").CASES


def mark_of(name):
    """The mark of the one backend that a model's tests run on."""
    return importlib.import_module(f"tests.zoo.models.test_{name}").pytestmark


def tiny_variants(recipe):
    """The test-sized variants of a recipe, one per kind of model."""
    variants = importlib.import_module(f"zoo.recipes.{recipe}").VARIANTS
    return [name for name in variants if name.startswith("tiny")]
