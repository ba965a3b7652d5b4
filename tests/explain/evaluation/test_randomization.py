import keras
import numpy as np
import pytest
from scipy import stats

from keras_attention.explain.attribution import methods
from keras_attention.explain.evaluation.randomization import randomization

pytestmark = pytest.mark.runs_on("torch")

INPUTS = np.random.default_rng(0).random((3, 7, 2)).astype("float32")


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    inner_inputs = keras.Input((7, 4))
    x = keras.layers.Dense(4, activation="tanh", name="inner_dense")(inner_inputs)
    inner = keras.Model(inner_inputs, x, name="inner")
    inputs = keras.Input((7, 2))
    x = keras.layers.Dense(4, name="first")(inputs)
    x = keras.layers.Flatten()(inner(x))
    model = keras.Model(inputs, keras.layers.Dense(2, name="last")(x))
    rng = np.random.default_rng(1)
    model.set_weights([rng.normal(size=w.shape) for w in model.get_weights()])
    return model


def test_layers_lose_their_weights_from_the_output_on(model):
    before = model.get_weights()
    seen = []

    def spy(model, inputs, **how):
        seen.append(model.get_weights())
        return methods.gradient_x_input(model, inputs, **how)

    def of_the_input(model, inputs, **how):
        explanation = methods.gradient_x_input(model, inputs, **how)
        explanation.scores[:] = inputs.sum(axis=-1)
        return explanation

    tried = {"gradient": spy, "input": of_the_input}
    result = randomization(model, INPUTS, tried, target=1, seed=3)
    assert result.stages == ["last", "inner_dense", "first"]
    changed = [
        [i for i, (a, b) in enumerate(zip(before, now, strict=True)) if not np.array_equal(a, b)]
        for now in seen
    ]
    # Kernels and biases; a bias of two may be shuffled to what it was.
    for now, kernels in zip(changed, [[], [4], [2, 4], [0, 2, 4]], strict=True):
        assert set(kernels) <= set(now) <= {i + bias for i in kernels for bias in (0, 1)}
    for a, b in zip(before, seen[-1], strict=True):
        np.testing.assert_array_equal(np.sort(a, axis=None), np.sort(b, axis=None))
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)

    model.set_weights(seen[1])
    scores = methods.gradient_x_input(model, INPUTS, target=1).scores
    model.set_weights(before)
    scores_before = methods.gradient_x_input(model, INPUTS, target=1).scores
    expected = [stats.spearmanr(a, b)[0] for a, b in zip(scores, scores_before, strict=True)]
    np.testing.assert_allclose(result.correlations["gradient"][0], expected)

    np.testing.assert_allclose(result.correlations["input"], 1)
    assert result.failed == ["input"]
    assert result.as_dict()["failed"] == ["input"]
    lines = result.table().splitlines()
    assert lines[0] == "| random from | gradient | input |"
    assert lines[-1].startswith("| first | ")
    assert lines[-1].endswith("| 1.000 ± 0.000 |")
    again = randomization(model, INPUTS, "gradient_x_input", target=1, seed=3)
    np.testing.assert_allclose(
        again.correlations["gradient_x_input"], result.correlations["gradient"]
    )


def test_weights_come_back_when_something_fails(model):
    before, calls = model.get_weights(), []

    def fails(model, inputs, **how):
        calls.append(0)
        if len(calls) == 3:
            raise RuntimeError("in the midst of it")
        return methods.gradient_x_input(model, inputs, **how)

    with pytest.raises(RuntimeError, match="in the midst of it"):
        randomization(model, INPUTS, fails)
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_shared_weights_are_shuffled_once():
    inputs = keras.Input((None,), dtype="int32")
    table = keras.layers.ReversibleEmbedding(9, 4, name="table")
    x = table(inputs)
    x = keras.layers.GlobalAveragePooling1D()(x)
    model = keras.Model(inputs, table(x, reverse=True))
    ids = np.array([[1, 2, 3], [4, 5, 6]], "int32")
    result = randomization(model, ids, "gradient_x_input")
    assert result.stages == ["table"]


def test_a_model_without_weights_is_named():
    inputs = keras.Input((3, 2))
    model = keras.Model(inputs, keras.layers.GlobalAveragePooling1D()(inputs))
    with pytest.raises(ValueError, match="no weights to randomise"):
        randomization(model, INPUTS[:, :3])
