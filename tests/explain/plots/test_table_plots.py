"""Pictures of tables draw what they say."""

import keras
import numpy as np
import pytest

import keras_attention as ka
from keras_attention.explain import plots
from tests.backend import to_numpy

pytestmark = pytest.mark.runs_on("torch")

COLUMNS = ["age", "pay", "job"]
ROWS = {
    "age": np.array([20.0, 30.0, np.nan, 50.0]),
    "pay": np.array([1.0, 2.0, 3.0, 4.0]),
    "job": np.array(["a", "b", "b", "?"], object),
}


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    numbers = keras.Input((2,), name="numbers")
    categories = keras.Input((1,), dtype="int32", name="categories")
    tokens = [
        ka.layers.NumericColumns(COLUMNS[:2], 4)(numbers),
        ka.layers.CategoricalColumns(COLUMNS[2:], [["a", "b"]], 4)(categories),
    ]
    x = ka.layers.ClassToken()(keras.layers.Concatenate(axis=1)(tokens))
    x = ka.layers.TransformerBlock(2, 4, name="block")(x)
    return keras.Model([numbers, categories], keras.layers.Dense(1)(x[:, 0]))


def attention(model):
    with ka.capture() as maps:
        model(ka.encode(model, ROWS))
    return to_numpy(maps["block/attention"])[:, :, 0].mean(axis=0)  # (N, 1 + columns)


def test_class_token_has_a_row_for_each_head(model):
    ax, _ = plots.column_attention(model, ROWS, COLUMNS).axes
    np.testing.assert_allclose(ax.images[0].get_array(), attention(model), atol=1e-6)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["head 1", "head 2"]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["(itself)", *COLUMNS]
    with pytest.raises(ValueError, match=r"must name the 3 columns .* Received: 2 names"):
        plots.column_attention(model, ROWS, COLUMNS[:2])


def test_importance_is_the_growth_of_the_error(model):
    truth = model.predict(ka.encode(model, ROWS), verbose=0)
    figure = plots.column_importance(
        model, ROWS, COLUMNS, lambda outputs: float(np.abs(outputs - truth).max()), label="error"
    )
    left, right = figure.axes
    names = [label.get_text() for label in left.get_yticklabels()]
    widths = {name: bar.get_width() for name, bar in zip(names, left.patches, strict=True)}
    expected = attention(model).mean(axis=0)[1:]
    np.testing.assert_allclose([widths[name] for name in COLUMNS], expected, atol=1e-6)
    grown = [bar.get_width() for bar in right.patches]
    assert grown == sorted(grown)
    assert grown[0] >= 0
    assert grown[-1] > 0
