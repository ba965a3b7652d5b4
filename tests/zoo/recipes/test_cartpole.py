"""The recipe `cartpole` draws what its model attends to, at each of its sizes."""

import pytest

from zoo.recipes.cartpole import VARIANTS, recipe

pytestmark = pytest.mark.runs_on("torch")


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_is_drawn(variant):
    made = recipe(variant=variant, smoke=True)
    assert "attention" in made.pictures(made.model, made.data)
