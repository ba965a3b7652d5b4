"""FT-Transformer: cases for the contract, and rows of a table to answers."""

import numpy as np
import pytest

import keras_attention as ka
from tests.zoo.models.contracts import ModelCase
from zoo.models.ft_transformer import VARIANTS, ft_transformer

pytestmark = pytest.mark.runs_on("jax")

COLUMNS = {"numbers": ("age",), "dates": ("born", "seen"), "missing_tokens": True}
TABLE = {"numbers": ("age", "pay"), "categories": {"job": ["a", "b"], "town": ["x", "y", "z"]}}


def inputs(rng, batch):
    return {
        "numbers": rng.normal(size=(batch, 2)).astype("float32"),
        "categories": rng.integers(0, 3, (batch, 2)).astype("int32"),
    }


CASES = [
    ModelCase(model=ft_transformer, sizes=VARIANTS["tiny"], config=TABLE, inputs=inputs, maps=1),
    ModelCase(
        model=ft_transformer,
        sizes=VARIANTS["tiny"],
        config={"numbers": ("age",), "quantities": ka.layers.Quantities(["pay"], [3.0], [2.0])},
        inputs=lambda rng, batch: {"numbers": rng.normal(size=(batch, 1)).astype("float32")},
        maps=1,
        classes=False,
    ),
    ModelCase(
        model=ft_transformer,
        sizes=VARIANTS["tiny"],
        config=COLUMNS,
        inputs=lambda rng, batch: {
            "numbers": np.where(np.arange(batch) % 2, np.nan, 1)[:, None].astype("float32"),
            "dates": np.where(np.eye(batch, 2), np.nan, rng.normal(size=(batch, 2))).astype("f"),
        },
        maps=1,
    ),
]
PARAMETERS = {
    "default": 102_090,
    "paper": 894_918,
    "tiny": 738,
}


def test_every_form_of_a_row_gives_the_same_answer():
    model = ft_transformer(**VARIANTS["tiny"], **TABLE, row_names=["job", "age", "town", "pay"])
    answers = [
        ka.predict(model, rows)
        for rows in (
            [{"age": 31, "pay": 2.5, "job": "b", "town": "x"}],
            {"age": [31], "pay": [2.5], "job": ["b"], "town": ["x"]},
            ["b, 31, x, 2.5"],
        )
    ]
    for (answer,) in answers:
        assert answer.label in ("0", "1")
        assert answer == answers[0][0]


def test_a_table_has_columns():
    with pytest.raises(ValueError, match="a table has columns"):
        ft_transformer(**VARIANTS["tiny"])


def test_order_of_the_columns_matters():
    model = ft_transformer(**VARIANTS["tiny"], numbers=("a", "b"))
    x = np.array([[1.0, -2.0]], "float32")
    assert not np.allclose(model.predict(x, verbose=0), model.predict(x[:, ::-1], verbose=0))
