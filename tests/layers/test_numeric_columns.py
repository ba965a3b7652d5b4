"""NumericColumns: cases for the contract, against the paper's formula, and raw rows."""

import numpy as np
import pytest

import keras_attention as ka
from keras_attention.layers import NumericColumns
from tests.backend import to_numpy
from tests.contracts import Case

CASES = [
    Case(
        layer=NumericColumns,
        config={"names": ["a", "b", "c"], "hidden_dim": 4},
        inputs={"numbers": (3,)},
    ),
    Case(
        layer=NumericColumns,
        config={"names": ["a", "b"], "hidden_dim": 4, "missing_tokens": True},
        inputs={"numbers": (2,)},
        silent=("missing",),  # as no number is
    ),
]


def test_a_token_is_bias_and_standardised_number_times_vector():
    """Section 3.3 of the FT-Transformer paper."""
    rng = np.random.default_rng(0)
    x = rng.normal(5, 3, (50, 2)).astype("float32")
    layer = NumericColumns(["a", "b"], 3)
    layer.adapt(np.concatenate([x, [[np.nan, np.inf]]]))
    kernel, bias = rng.normal(size=(2, 2, 3)).astype("float32")
    layer.kernel.assign(kernel)
    layer.bias.assign(bias)
    standard = (x - x.mean(0)) / x.std(0)
    np.testing.assert_allclose(to_numpy(layer(x)), standard[..., None] * kernel + bias, atol=1e-4)
    missing = to_numpy(layer(np.array([[np.nan, 1e9]], "float32")))
    np.testing.assert_allclose(missing[0, 0], bias[0], atol=1e-6)


def test_a_missing_number_may_have_a_token_of_its_own():
    layer = NumericColumns(["a", "b"], 3, missing_tokens=True)
    layer.build((None, 2))
    token = np.random.default_rng(0).normal(size=(2, 3)).astype("float32")
    layer.missing.assign(token)
    plain = NumericColumns(["a", "b"], 3)
    plain.build((None, 2))
    plain.set_weights([to_numpy(w) for w in layer.weights if w is not layer.missing])
    x = np.array([[np.nan, 2.0], [1.0, np.inf]], "float32")
    tokens = to_numpy(layer(x))
    np.testing.assert_array_equal(tokens[[0, 1], [0, 1]], token)
    np.testing.assert_array_equal(tokens[[0, 1], [1, 0]], to_numpy(plain(x))[[0, 1], [1, 0]])


def test_kernel_and_bias_begin_apart():
    """Uniform up to 1 / sqrt(D); the same numbers in both would leave a token one direction."""
    layer = NumericColumns(["a", "b"], 16)
    layer.build((None, 2))
    kernel, bias = to_numpy(layer.kernel), to_numpy(layer.bias)
    assert not np.allclose(kernel, bias)
    assert 0.2 < max(np.abs(kernel).max(), np.abs(bias).max()) <= 0.25


def test_large_numbers_keep_their_digits_in_16_bits():
    layer = NumericColumns(["year"], 1, dtype="mixed_bfloat16")
    layer.adapt(np.array([[1990.0], [2010.0]]))
    layer.kernel.assign([[1.0]])
    layer.bias.assign([[0.0]])
    tokens = to_numpy(layer(np.array([[2001.0]], "float32")))
    np.testing.assert_allclose(tokens, [[[0.1]]], atol=1e-3)


def test_constant_columns_do_not_divide_by_zero():
    layer = NumericColumns(["a"], 2)
    layer.adapt(np.full((4, 1), 7.0))
    assert np.isfinite(to_numpy(layer(np.array([[7.0], [8.0]], "float32")))).all()


ROWS = [{"a": "1.5", "x": "u", "b": " NA "}, {"a": 2, "x": "v", "b": None}]


@pytest.mark.parametrize(
    "rows",
    [
        ROWS,
        {name: [row[name] for row in ROWS] for name in ("a", "x", "b")},
        [["1.5", "u", "?"], [2, "v", ""]],
        ["1.5, u, ?", "2,v,"],
    ],
)
def test_rows_come_in_many_forms(rows):
    numbers = NumericColumns(["b", "a"], 2, row_names=["a", "x", "b"]).encode(rows)
    np.testing.assert_array_equal(numbers, np.array([[np.nan, 1.5], [np.nan, 2]], "float32"))


def test_errors_teach():
    layer = ka.layers.NumericColumns(["a", "b"], 2)
    with pytest.raises(ValueError, match=r"must have the columns a, b. Missing: b"):
        layer.encode([{"a": 1}])
    with pytest.raises(ValueError, match=r"'b' must have numbers. Received: 'x' in row 1"):
        layer.encode(["1,2", "1,x"])
    with pytest.raises(ValueError, match=r"the 2 fields a, b. Received: row 0 with 3 fields"):
        layer.encode(["1,2,3"])
    with pytest.raises(ValueError, match="at least one column"):
        NumericColumns([], 2)
