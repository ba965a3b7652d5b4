"""Every model of the zoo under the whole contract; a model without a case fails.

The layers that a model is made of pass theirs on every backend, and `tests/cross_backend` compares
each model's outputs between backends, so a model passes the contract on the one backend that its
own test names.
"""

import importlib

import keras
import pytest

from tests.zoo.models import contracts
from tests.zoo.models.cases import MODELS, cases_of, mark_of

RUNS = [
    pytest.param(
        check,
        case,
        id=f"{check.__name__}-{case.name}-{number}",
        # One worker builds and compiles it once.
        marks=[mark_of(name), pytest.mark.xdist_group(f"{name} {number}")],
    )
    for name in MODELS
    for number, case in enumerate(cases_of(name))
    for check, applies in contracts.CHECKS.items()
    if applies(case)
]


@pytest.mark.parametrize(("check", "case"), RUNS)
def test_contract(check, case, request):
    keras.utils.set_random_seed(0)
    if check is contracts.round_trip:
        check(case, request.getfixturevalue("tmp_path"))
    else:
        check(case)


@pytest.mark.runs_on("torch")
@pytest.mark.parametrize("name", MODELS)
def test_sizes_are_data(name):
    """`PARAMETERS` of a model's test says how many each variant has, with the first case's data."""
    variants = importlib.import_module(f"zoo.models.{name}").VARIANTS
    parameters = importlib.import_module(f"tests.zoo.models.test_{name}").PARAMETERS
    contracts.sizes_are_data(cases_of(name)[0], variants, parameters)


@pytest.mark.runs_on("torch")
@pytest.mark.parametrize("name", MODELS)
def test_every_model_is_named_as_its_file(name):
    assert cases_of(name)[0].name == name
    assert {"default", "tiny"} <= set(importlib.import_module(f"zoo.models.{name}").VARIANTS)
