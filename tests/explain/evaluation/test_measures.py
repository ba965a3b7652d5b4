from dataclasses import replace

import keras
import numpy as np
import pytest
from scipy import integrate, special, stats

import keras_attention as ka
from keras_attention import inference
from keras_attention.explain.attribution import methods
from keras_attention.explain.attribution.question import Question
from keras_attention.explain.evaluation import ranks
from keras_attention.explain.evaluation.candidates import METHODS, explain
from keras_attention.explain.evaluation.measured import FRACTIONS, MEASURES
from keras_attention.explain.evaluation.measures import faithfulness

pytestmark = pytest.mark.runs_on("torch")

WEIGHTS = np.float32([0.2, 0.4, 0.1, 0.3])
# Of four, two and one elements; zeros are none.
SIZES = (6, 4, 1, 6, 6)  # of the texts
INPUTS = np.float32([[1, 1, 1, 1], [1, 0, 0, 1], [0, 0, 1, 0]])[..., None]


@pytest.fixture(scope="module")
def additive():
    """A probability to which each element adds its weight."""
    inputs = keras.Input((4, 1))
    outputs = keras.layers.Dense(1, use_bias=False)(keras.layers.Flatten()(inputs))
    model = keras.Model(inputs, outputs)
    model.set_weights([WEIGHTS[:, None]])
    return model


@pytest.fixture(scope="module")
def reader():
    """Tokens with attention, in three classes."""
    keras.utils.set_random_seed(1)
    inputs = keras.Input((None,), dtype="int32")
    x = keras.layers.Embedding(12, 8, mask_zero=True, embeddings_initializer="normal")(inputs)
    x = ka.layers.TransformerBlock(2, 16)(x)
    x = ka.layers.AttentionPooling(num_heads=2)(x)
    model = keras.Model(inputs, keras.layers.Dense(3, kernel_initializer="normal")(x))
    rng = np.random.default_rng(0)
    model.set_weights([w + rng.normal(0, 0.6, w.shape) for w in model.get_weights()])
    return model


@pytest.fixture(scope="module")
def texts():
    rng = np.random.default_rng(1)  # no token twice: their scores would differ by rounding alone
    ids = np.stack([rng.permutation(np.arange(1, 12))[:6] for _ in range(5)]).astype("int32")
    ids[1, 4:] = ids[2, 1:] = 0
    return ids


@pytest.fixture(scope="module")
def result(reader, texts):
    fast = [name for name in METHODS if name != "integrated_gradients"]
    return faithfulness(reader, texts, fast, draws=2)


def test_an_additive_model_by_hand(additive):
    result = faithfulness(additive, INPUTS, "gradient_x_input", target=0)
    measured = result.measured["gradient_x_input"]
    np.testing.assert_allclose(result.whole, [1.0, 0.5, 0.1], atol=1e-6)
    np.testing.assert_allclose(result.empty, 0, atol=1e-6)
    np.testing.assert_array_equal(result.sizes, [4, 2, 1])
    # 1.0 0.6 0.3 0.1 0.0; 0.5 0.2 0.0; 0.1 0.0
    np.testing.assert_allclose(measured.deletion, [0.375, 0.225, 0.05], atol=1e-6)
    # 0.0 0.4 0.7 0.9 1.0; 0.0 0.3 0.5; 0.0 0.1
    np.testing.assert_allclose(measured.insertion, [0.625, 0.275, 0.05], atol=1e-6)
    # Of four elements 1, 1, 1, 1 and 2; of two and of one always 1.
    expected = [[0.4] * 4 + [0.7], [0.3] * 5, [0.1] * 5]
    np.testing.assert_allclose(measured.comprehensiveness_at, expected, atol=1e-6)
    np.testing.assert_allclose(measured.comprehensiveness, [0.46, 0.3, 0.1], atol=1e-6)
    expected = [[0.6] * 4 + [0.3], [0.2] * 5, [0.0] * 5]
    np.testing.assert_allclose(measured.sufficiency_at, expected, atol=1e-6)
    np.testing.assert_allclose(measured.leave_one_out, [1, 1, np.nan])
    np.testing.assert_allclose(
        measured.deletion_curve[0],
        np.interp(np.linspace(0, 4, 21), range(5), [1, 0.6, 0.3, 0.1, 0]),
    )


def test_the_reverse_is_worst_and_random_is_between(additive):
    result = faithfulness(additive, INPUTS, "gradient_x_input", target=0, draws=100)
    best, random, worst = result.measured.values()
    assert list(result.measured) == ["gradient_x_input", "random", "gradient_x_input, reversed"]
    np.testing.assert_allclose(worst.deletion, [0.625, 0.275, 0.05], atol=1e-6)
    np.testing.assert_allclose(random.deletion, [0.5, 0.25, 0.05], atol=0.02)  # whole / 2
    np.testing.assert_allclose(random.comprehensiveness[0], (4 * 0.25 + 0.5) / 5, atol=0.02)
    assert (best.sufficiency[:2] < random.sufficiency[:2]).all()
    assert (random.sufficiency[:2] < worst.sufficiency[:2]).all()
    np.testing.assert_allclose(worst.leave_one_out[:2], -1)
    assert abs(random.leave_one_out[0]) < 0.2


def test_methods_that_do_not_apply_are_skipped_unless_they_are_named(additive):
    result = faithfulness(additive, INPUTS, target=0)
    assert set(result.skipped) == {"relevance", "rollout", "attention", "attention_gradient"}
    assert "no attention layer" in result.skipped["rollout"]
    best = result.measured["gradient_x_input"].deletion
    for name in ("integrated_gradients", "leave_one_out"):
        np.testing.assert_allclose(result.measured[name].deletion, best, atol=1e-6)
    with pytest.raises(ValueError, match="no attention layer"):
        faithfulness(additive, INPUTS, "rollout", target=0)


def test_against_the_model_alone(reader, texts, result):
    """By loops over rows and points, with curves and shares made in another way."""
    target = result.explanations["relevance"].target
    wanted = []  # (row, what is kept)
    for name in ("relevance", "gradient_x_input"):
        for row, size in enumerate(SIZES):
            order = np.argsort(-result.explanations[name].scores[row][:size])
            for k in range(size + 1):
                wanted += [(row, order[k:]), (row, order[:k])]
    wanted += [
        (row, np.delete(np.arange(size), i)) for row, size in enumerate(SIZES) for i in range(size)
    ]
    ids = np.zeros((len(wanted), 6), "int32")
    for to, (row, kept) in zip(ids, wanted, strict=True):
        to[kept] = texts[row, kept]
    logits = np.asarray(reader.predict(ids, batch_size=len(ids), verbose=0), np.float64)
    rows = [row for row, _ in wanted]
    each = iter(special.softmax(logits, axis=1)[np.arange(len(rows)), target[rows]])

    curves = {
        (name, row): np.array([(next(each), next(each)) for _ in range(size + 1)]).T
        for name in ("relevance", "gradient_x_input")
        for row, size in enumerate(SIZES)
    }
    alone = [np.array([next(each) for _ in range(size)]) for size in SIZES]
    for (name, row), (gone, come) in curves.items():
        measured, size = result.measured[name], SIZES[row]
        x = np.arange(size + 1) / size
        assert measured.deletion[row] == pytest.approx(integrate.trapezoid(gone, x), abs=1e-5)
        assert measured.insertion[row] == pytest.approx(integrate.trapezoid(come, x), abs=1e-5)
        top = [int(np.ceil(f * size)) for f in FRACTIONS]
        np.testing.assert_allclose(
            measured.comprehensiveness_at[row], gone[0] - gone[top], atol=1e-5
        )
        np.testing.assert_allclose(measured.sufficiency_at[row], gone[0] - come[top], atol=1e-5)
        if size > 1:
            scores = result.explanations[name].scores[row][:size]
            rho = stats.spearmanr(scores, gone[0] - alone[row])[0]
            assert measured.leave_one_out[row] == pytest.approx(rho, abs=1e-6)
    assert not result.skipped
    assert len(result.measured) == 13


def test_methods_run_in_batches_that_change_nothing(reader, texts, result):
    sizes = []

    def spy(model, inputs, **how):
        sizes.append(len(inputs))
        return methods.rollout(model, inputs, **how)

    question = Question(reader, texts, None, None, {})
    np.testing.assert_allclose(
        explain(question, spy, batch_size=2).scores,
        result.explanations["rollout"].scores,
        atol=1e-5,
    )
    assert sizes == [2, 2, 2]


def test_batches_have_one_size_and_no_input_is_computed_twice(reader, texts, monkeypatch):
    inputs, sizes = [], set()
    outputs = inference.outputs

    def spy(model, x, *, batch_size):
        inputs.extend(map(bytes, x))
        sizes.add((len(x) % batch_size, batch_size))
        return outputs(model, x, batch_size=batch_size)

    monkeypatch.setattr(inference, "outputs", spy)
    scores = np.random.default_rng(0).random(texts.shape) * (texts != 0)
    given = replace(methods.rollout(reader, texts[:1]), scores=scores[:1])
    faithfulness(reader, texts[:1], given, draws=1, batch_size=4)
    assert sizes == {(0, 4)}
    # With all, without each, with none; one ranking removes and keeps 4 sets more each; it and its
    # reverse are the same sets; so a random one adds 8 at most.
    assert len(set(inputs)) <= 8 + 8 + 8


def test_insertion_may_start_from_something_else():
    inputs = keras.Input((4, 4, 1))
    outputs = keras.layers.Dense(1, use_bias=False)(keras.layers.Flatten()(inputs))
    model = keras.Model(inputs, outputs)
    model.set_weights([np.repeat(np.repeat(WEIGHTS.reshape(2, 2), 2, 0), 2, 1).reshape(16, 1) / 4])
    images = np.ones((1, 4, 4, 1), "float32")  # of which the mean is the same
    how = dict(target=0, grid=(2, 2), steps=2)
    result = faithfulness(model, images, "gradient_x_input", insertion_from=0, **how)
    measured = result.measured["gradient_x_input"]
    np.testing.assert_allclose(measured.deletion, 1, atol=1e-6)
    np.testing.assert_allclose(measured.insertion, (0 + 2 * 0.7 + 1) / 4, atol=1e-6)
    np.testing.assert_allclose(measured.sufficiency_at, 0, atol=1e-6)


def test_ties_are_broken_by_the_seed_and_reversed_too(additive):
    given = methods.gradient_x_input(additive, INPUTS, target=0)
    equal = replace(given, method="equal", scores=np.ones((3, 4)))
    areas = set()
    for seed in range(4):
        result = faithfulness(additive, INPUTS, equal, target=0, seed=seed, draws=1)
        one, other = result.measured["equal"].deletion, result.measured["equal, reversed"].deletion
        np.testing.assert_allclose(one + other, result.whole, atol=1e-6)  # of additive models
        areas.add(round(one[0], 4))
        again = faithfulness(additive, INPUTS, equal, target=0, seed=seed, draws=1)
        np.testing.assert_array_equal(again.measured["equal"].deletion, one)
        np.testing.assert_array_equal(
            again.measured["random"].deletion, result.measured["random"].deletion
        )
    assert len(areas) > 1


def test_names_and_comparisons(additive):
    best = methods.gradient_x_input(additive, INPUTS, target=0)
    worst = replace(best, scores=-best.scores)
    result = faithfulness(additive, INPUTS, {"best": best, "worst": worst}, target=0)
    assert list(result.explanations) == ["best", "worst"]
    compared = result.compare("best", "worst")
    assert compared.wins == pytest.approx((1 + 1 + 0.5) / 3)
    assert compared.difference == pytest.approx(-(0.25 + 0.05) / 3)
    assert compared.interval[0] == pytest.approx(-0.25)
    assert compared.p == 0.5
    assert not compared.better  # one interval end is zero: the input with one element
    assert result.compare("worst", "best", "insertion").difference < 0
    lines = result.table().splitlines()
    assert len(lines) == 2 + 5
    assert lines[2].startswith("| best | 0.217 ± ")
    content = result.as_dict()
    assert content["measured"]["best"]["deletion"] == [0.375, 0.225, 0.05]
    assert content["measured"]["best"]["leave_one_out"] == [1, 1, None]
    assert set(MEASURES) < set(content["measured"]["random"])


def test_the_figure_has_a_curve_for_each_ranking(result):
    deletion, insertion = result.figure().axes
    assert len(deletion.lines) == len(insertion.lines) == 13
    np.testing.assert_allclose(
        deletion.lines[0].get_ydata(), result.measured["relevance"].deletion_curve.mean(axis=0)
    )
    assert deletion.lines[6].get_label() == "random"


def test_the_arithmetic_of_ranks():
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 4, (2, 5, 9)).astype(float)
    a[4] = 1.0
    present = rng.random((5, 9)) > 0.2
    correlations = ranks.spearman(a, b, present)
    for x, y, mask, rho in zip(a[:4], b, present, correlations, strict=False):
        assert rho == pytest.approx(stats.spearmanr(x[mask], y[mask])[0])
    assert np.isnan(correlations[4])
    for above, below in ((7, 1), (3, 3), (0, 0)):
        values = np.array([1.0] * above + [-1.0] * below + [0.0] * 2)
        size = above + below
        expected = stats.binomtest(above, size).pvalue if size else 1.0
        assert ranks.sign_test(values) == pytest.approx(expected)
    assert ranks.counts(3, 20).tolist() == [0, 1, 2, 3]
    assert ranks.counts(100, 4).tolist() == [0, 25, 50, 75, 100]
    assert [ranks.share(0.1, size) for size in (1, 10, 30, 31)] == [1, 1, 3, 4]


@pytest.mark.parametrize(
    ("methods_", "match"),
    [("lime", "`methods` must be one of"), (["rollout", "rollout"], "Two rankings have the name")],
)
def test_names_that_do_not_do(reader, texts, methods_, match):
    with pytest.raises(ValueError, match=match):
        faithfulness(reader, texts, methods_, draws=1)


def test_what_an_explanation_is_of_must_fit(reader, texts):
    given = methods.rollout(reader, texts, target=1)
    with pytest.raises(ValueError, match="of another batch, target or position"):
        faithfulness(reader, texts, given, target=2)
    question = Question(reader, texts, 1, None, {})
    assert explain(question, given) is given
    with pytest.raises(ValueError, match=r"none in the inputs \[2\]"):
        faithfulness(reader, texts * (np.arange(5) != 2)[:, None], "rollout")
