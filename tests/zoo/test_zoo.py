"""The models by their names: `zoo.vit` and what tells editors of it."""

import ast
import subprocess
import sys
from pathlib import Path

import keras
import pytest

import zoo
from tests.zoo.models.cases import MODELS

pytestmark = pytest.mark.runs_on("torch")

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", MODELS)
def test_a_model_is_called_by_its_name(name):
    build = getattr(zoo, name)
    assert (build.__name__, build.__module__) == (name, f"zoo.models.{name}")
    assert {"default", "tiny"} <= set(getattr(zoo.models, name).VARIANTS)


def test_a_variant_is_its_arguments():
    sizes = zoo.models.vit.VARIANTS["tiny"]
    model = zoo.vit(image_size=16, channels=1, num_classes=3, **sizes)
    assert isinstance(model, keras.Model)
    assert model.output_shape == (None, 3)


def test_completion_and_type_checkers_know_the_models():
    """`dir` of what there is, and an import for each model that only a type checker reads."""
    assert {*MODELS, "box", "load", "models"} == set(dir(zoo))
    assert set(MODELS) == set(dir(zoo.models))
    tree = ast.parse((ROOT / "zoo/__init__.py").read_text())
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    assert ast.unparse(block.test) == "TYPE_CHECKING"
    lines = [ast.unparse(node) for node in block.body]
    assert lines == [f"from zoo.models.{name} import {name} as {name}" for name in MODELS]


def test_other_names_are_refused():
    with pytest.raises(AttributeError, match="'zoo' has no attribute 'resnet'"):
        zoo.resnet  # noqa: B018
    with pytest.raises(AttributeError, match=r"'zoo\.models' has no attribute 'resnet'"):
        zoo.models.resnet  # noqa: B018


def test_the_zoo_is_imported_before_a_backend_is_chosen():
    program = "import sys, zoo, zoo.recipes; print('keras' in sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert run.stdout == "False\n"


def test_variants_are_there_before_the_model_is(monkeypatch):
    """They may be arguments of the first call of all."""
    monkeypatch.delitem(sys.modules, "zoo.models.vit")
    monkeypatch.delattr(zoo.models, "vit")
    assert "tiny" in zoo.models.vit.VARIANTS
