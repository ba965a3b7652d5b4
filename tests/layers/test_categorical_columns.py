"""CategoricalColumns: cases for the contract, against the paper's formula, and raw rows."""

import numpy as np
import pytest

from keras_attention.layers import CategoricalColumns
from tests.backend import to_numpy
from tests.contracts import Case

VOCABULARIES = [["red", "green"], ["x", "y", "z"]]
CASES = [
    Case(
        layer=CategoricalColumns,
        config={"names": ["colour", "kind"], "vocabularies": VOCABULARIES, "hidden_dim": 4},
        inputs={"categories": (2,)},
        values={"categories": lambda rng, shape, _: rng.integers(0, 3, shape).astype("int32")},
    )
]


def test_a_token_is_bias_and_a_row_of_the_columns_own_table():
    """Section 3.3 of the FT-Transformer paper."""
    rng = np.random.default_rng(0)
    layer = CategoricalColumns(["colour", "kind"], VOCABULARIES, 3)
    layer.build((None, 2))
    table, bias = (rng.normal(size=w.shape).astype("float32") for w in layer.weights)
    layer.set_weights([table, bias])
    tables = [table[:3], table[3:]]
    categories = np.array([[0, 3], [2, 1], [1, 0]], "int32")
    expected = np.stack([tables[j][categories[:, j]] + bias[j] for j in range(2)], axis=1)
    np.testing.assert_allclose(to_numpy(layer(categories)), expected, atol=1e-6)
    beyond = to_numpy(layer(np.array([[3, -1]], "int32")))  # not the other column's rows
    np.testing.assert_allclose(beyond[0], [table[0] + bias[0], table[3] + bias[1]], atol=1e-6)


@pytest.mark.parametrize(
    "rows",
    [
        [{"kind": " y", "n": 1, "colour": "blue"}, {"kind": None, "n": 2, "colour": "green"}],
        {"kind": ["y", ""], "colour": np.array(["blue", "green"], object)},
        ["y, 1, blue", ",2,green"],
    ],
)
def test_rows_come_in_many_forms(rows):
    layer = CategoricalColumns(
        ["colour", "kind"], VOCABULARIES, 2, row_names=["kind", "n", "colour"]
    )
    np.testing.assert_array_equal(layer.encode(rows), [[0, 2], [2, 0]])


def test_a_missing_category_may_be_one_of_them():
    """Whole numbers are themselves as floats too, which pandas makes them beside missing ones."""
    layer = CategoricalColumns(["size"], [["", "3", "4.0"]], 2)
    values = [None, float("nan"), "", np.float64(3), 3, "3", "3.0", 4.0, 4, 5]
    expected = [[1], [1], [1], [2], [2], [2], [0], [3], [0], [0]]
    np.testing.assert_array_equal(layer.encode({"size": values}), expected)


def test_errors_teach():
    with pytest.raises(ValueError, match=r"one entry for each of `names`, at least 1. Received: 2"):
        CategoricalColumns(["a"], VOCABULARIES, 2)
    with pytest.raises(ValueError, match="Missing: kind"):
        CategoricalColumns(["colour", "kind"], VOCABULARIES, 2).encode([{"colour": "red"}])
