"""Samplers against NumPy, and what is drawn against its distribution."""

import re

import numpy as np
import pytest
from keras import ops
from scipy import stats

import keras_attention as ka
from keras_attention import decoding
from keras_attention.decoding.noise import gumbel
from keras_attention.decoding.samplers import History
from tests.backend import to_numpy
from tests.decoding.models import V, language_model, logits_after

LOGITS = np.random.default_rng(0).normal(size=(3, 9)).astype("float32") * 2
TOKENS = np.array([[0, 0, 4, 2, 4, 2, 7], [1, 5, 1, 5, 3, 1, 7], [0, 0, 0, 0, 0, 6, 8]], "int32")
PRESENT = np.array([[0, 0, 1, 1, 1, 1, 1], [1] * 7, [0, 0, 0, 0, 0, 1, 1]], bool)
LENGTH = 6  # the last column is not filled yet


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def apply(sampler):
    tensors = map(ops.convert_to_tensor, (TOKENS, PRESENT))
    history = History(*tensors, ops.convert_to_tensor(LENGTH, "int32"))
    return to_numpy(sampler(ops.convert_to_tensor(LOGITS), history))


def top_k(row, k):
    return np.where(np.argsort(np.argsort(-row)) < k, row, -np.inf)


def top_p(row, p):
    order, kept, total = np.argsort(-row), [], 0.0
    for i in order:
        kept.append(i)
        total += softmax(row)[i]
        if total >= p:
            break
    return np.where(np.isin(np.arange(len(row)), kept), row, -np.inf)


def read(row):
    return [t for t, there in zip(TOKENS[row][:LENGTH], PRESENT[row], strict=False) if there]


def repetition(row, penalty):
    x = LOGITS[row].copy()
    for token in set(read(row)):
        x[token] = x[token] * penalty if x[token] < 0 else x[token] / penalty
    return x


def no_repeat(row, n):
    x, ids = LOGITS[row].copy(), read(row)
    for i in range(len(ids) - n + 1):
        if len(ids) >= n and ids[i : i + n - 1] == ids[len(ids) - n + 1 :]:
            x[ids[i + n - 1]] = -np.inf
    return x


CASES = [
    (decoding.Greedy(), lambda row: LOGITS[row]),
    (decoding.Temperature(0.7), lambda row: LOGITS[row] / 0.7),
    (decoding.TopK(4, 0.5), lambda row: top_k(LOGITS[row], 4) / 0.5),
    (decoding.TopK(50), lambda row: LOGITS[row]),
    (decoding.TopP(0.6), lambda row: top_p(LOGITS[row], 0.6)),
    (decoding.TopP(0.9, 1.7), lambda row: top_p(LOGITS[row] / 1.7, 0.9)),
    (decoding.TopP(1.0), lambda row: LOGITS[row]),
    (
        decoding.MinP(0.2),
        lambda row: np.where(
            softmax(LOGITS[row]) >= 0.2 * softmax(LOGITS[row]).max(), LOGITS[row], -np.inf
        ),
    ),
    (decoding.RepetitionPenalty(1.8), lambda row: repetition(row, 1.8)),
    *[(decoding.NoRepeatNGrams(n), lambda row, n=n: no_repeat(row, n)) for n in (1, 2, 3, 7, 8)],
]


@pytest.mark.parametrize(("sampler", "expected"), CASES, ids=[str(case[0]) for case in CASES])
def test_logits(sampler, expected):
    expected = np.stack([expected(row) for row in range(3)])
    np.testing.assert_allclose(apply(sampler), expected, rtol=1e-5)
    assert hash(sampler) == hash(type(sampler)(**vars(sampler)))


TIED = np.array([[1, 3, 3, 3, -np.inf], [2, 2, 2, 2, 2], [-np.inf] * 5], "float32")
EXTREMES = [  # and how many tokens are left of each row
    (decoding.TopK(1), [3, 5, 0]),
    (decoding.TopK(99, 1e38), [4, 5, 0]),
    (decoding.TopP(1e-45), [3, 5, 0]),
    (decoding.TopP(1.0, 1e38), [4, 5, 0]),
    (decoding.MinP(1.0), [3, 5, 0]),
    (decoding.MinP(1e-45), [4, 5, 0]),
    (decoding.RepetitionPenalty(1e38), [4, 5, 0]),
    (decoding.RepetitionPenalty(1e-38), [4, 5, 0]),
    (decoding.Temperature(1e-45), [4, 5, 0]),
]


@pytest.mark.parametrize(("sampler", "left"), EXTREMES, ids=[str(case[0]) for case in EXTREMES])
def test_ends_of_the_ranges(sampler, left):
    """With logits that are equal, impossible, and all of them impossible: no NaN, no infinity."""
    tokens, present = np.array([[0, 1]] * 3, "int32"), np.ones((3, 2), bool)
    history = History(*map(ops.convert_to_tensor, (tokens, present)), 2)
    logits = to_numpy(sampler(ops.convert_to_tensor(TIED), history))
    assert np.isfinite(logits).sum(axis=1).tolist() == left
    assert np.isneginf(logits[~np.isfinite(logits)]).all()
    if left[0] < 4:
        assert not np.isfinite(logits[0, 0]), "the least probable one must go"
    if isinstance(sampler, decoding.Temperature):  # no noise outweighs the difference
        assert logits[0, 1] - logits[0, 0] > 1e6


def test_probabilities_are_all_kept_whatever_their_sum():
    """Those of 50,000 tokens are rounded, and add up to more than 1 before the last one."""
    logits = np.random.default_rng(0).normal(size=(1, 50_000)).astype("float32")
    kept = decoding.TopP(1.0)(ops.convert_to_tensor(logits), None)
    assert np.isfinite(to_numpy(kept)).all()


def test_a_row_ends_where_no_token_may_come():
    model = language_model()
    sampler = decoding.NoRepeatNGrams(1)
    (token_ids,) = ka.generate(model, [[1, 2]], max_new_tokens=V + 5, sampler=sampler)
    assert sorted(token_ids) == sorted(set(range(V)) - {1, 2})
    pieces = [*ka.stream(model, [[1, 2]], max_new_tokens=V + 5, sampler=sampler)]
    np.testing.assert_array_equal(np.concatenate([piece[0] for piece in pieces]), token_ids)


@pytest.mark.parametrize("seed", [-1, 2**40, np.int64(3)])
def test_any_integer_is_a_seed(seed):
    options = {"max_new_tokens": 4, "sampler": decoding.Temperature(), "seed": seed}
    runs = [ka.generate(language_model(), [[1, 2]] * 2, **options) for _ in range(2)]
    np.testing.assert_array_equal(*runs)


def test_something_is_banned():
    assert np.isinf(no_repeat(0, 2)).any()
    assert np.isinf(no_repeat(1, 2)).any()


def chi_square(counts, probabilities):
    """The p-value, of the outcomes that are frequent enough to count."""
    frequent = probabilities * counts.sum() >= 5
    observed = [*counts[frequent], counts[~frequent].sum()]
    expected = [*probabilities[frequent], probabilities[~frequent].sum()]
    if expected[-1] < 1e-9:
        assert observed[-1] == 0
        observed, expected = observed[:-1], expected[:-1]
    return stats.chisquare(observed, np.array(expected) / sum(expected) * sum(observed)).pvalue


@pytest.mark.parametrize(
    "sampler",
    [
        decoding.Temperature(1.3),
        decoding.TopP(0.8),
        (decoding.RepetitionPenalty(2.0), decoding.TopK(6, 1.5)),
    ],
    ids=str,
)
def test_frequencies(sampler):
    """First and second tokens of 4,000 rows in one batch, and again of another seed."""
    model, rows = language_model(), 4000
    for seed in (0, 1):
        token_ids = np.stack(
            ka.generate(model, [[1, 2]] * rows, max_new_tokens=2, sampler=sampler, seed=seed)
        )
        first, second = distribution(model, [1, 2], sampler), 0
        assert chi_square(np.bincount(token_ids[:, 0], minlength=V), first) > 1e-3
        token = np.bincount(token_ids[:, 0]).argmax()
        after = token_ids[token_ids[:, 0] == token, 1]
        second = distribution(model, [1, 2, int(token)], sampler)
        assert chi_square(np.bincount(after, minlength=V), second) > 1e-3


def distribution(model, row, sampler):
    x = logits_after(model, row)
    for value in sampler if isinstance(sampler, tuple) else (sampler,):
        if isinstance(value, decoding.RepetitionPenalty):
            for token in set(row):
                x[token] = x[token] * value.penalty if x[token] < 0 else x[token] / value.penalty
            continue
        x = x / value.temperature
        if isinstance(value, decoding.TopK):
            x = top_k(x, value.k)
        elif isinstance(value, decoding.TopP):
            x = top_p(x, value.p)
    return softmax(x)


def test_a_seed_gives_the_same_text_again():
    model = language_model()
    options = {"max_new_tokens": 8, "sampler": decoding.Temperature()}
    first, other, again = (
        ka.generate(model, [[1, 2]] * 4, **options, seed=seed) for seed in (0, 1, 0)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert len({tuple(row) for row in again}) > 1, "rows are drawn apart"


def test_noise_is_the_same_on_every_backend():
    """Worked out with Python's integers."""

    def mixed(x):
        x &= 0xFFFFFFFF
        for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
            x ^= x >> shift
            x = x * factor & 0xFFFFFFFF
        return x ^ x >> 16

    expected = np.empty((2, 3))
    for row in range(2):
        for column in range(3):
            bits = mixed(mixed(mixed(mixed(7 + 0x9E3779B9) + 5) + row) + column)
            expected[row, column] = -np.log(-np.log(((bits >> 8) + 0.5) / 2**24))
    seed, step = (ops.convert_to_tensor(i, "int32") for i in (7, 5))
    np.testing.assert_allclose(to_numpy(gumbel(seed, step, 2, 3)), expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: decoding.Temperature(0.0), "For the most probable token, use Greedy()"),
        (lambda: decoding.TopP(0.0), "`p` must be above 0 and at most 1. Received: p=0.0"),
        (lambda: decoding.MinP(1.5), "`p` must be above 0 and at most 1. Received: p=1.5"),
        (lambda: decoding.TopK(0), "`k` must be"),
        (lambda: decoding.RepetitionPenalty(-1.0), "`penalty` must be a positive number"),
        (lambda: decoding.Temperature(float("inf")), "`temperature` must be a positive number"),
        (lambda: decoding.Temperature("1"), "positive number. Received: temperature='1'"),
        (lambda: decoding.BeamSearch(2, early_stopping=1), "must be True, False or 'never'"),
        (lambda: decoding.BeamSearch(2, length_penalty=9), "`length_penalty` must be between -8"),
        (lambda: decoding.BeamSearch(2, coverage_penalty=float("nan")), "must be between 0 and"),
        (lambda: decoding.BeamSearch(2, early_stopping="soon"), "must be True, False or 'never'"),
        (lambda: decoding.BeamSearch(2, num_results=3), "Search with more beams"),
    ],
)
def test_bad_values(make, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        make()
