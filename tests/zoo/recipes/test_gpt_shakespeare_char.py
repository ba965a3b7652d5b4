"""The recipe of letters: its data, and what it is measured beside."""

from collections import Counter

import numpy as np
import pytest

import keras_attention as ka
from zoo.data import tiny_shakespeare as data
from zoo.recipes import gpt_shakespeare_char as module

pytestmark = pytest.mark.runs_on("torch")

TEXTS = data.sample(length=12, stride=9)


def witten_bell(windows, order):
    """p(c | h) = (count(h c) + kinds(h) p(c | shorter h)) / (count(h) + kinds(h))."""
    counts = Counter(
        window[i : i + length]
        for window in windows
        for length in range(1, order + 1)
        for i in range(len(window) - length + 1)
    )
    following = {}
    for gram in counts:
        following.setdefault(gram[:-1], []).append(gram)

    def probability(character, context):
        shorter = 1 / len(TEXTS.class_names) if not context else probability(character, context[1:])
        if context not in following:
            return shorter
        kinds = len(following[context])
        total = sum(counts[gram] for gram in following[context])
        return (counts[context + character] + kinds * shorter) / (total + kinds)

    return probability


@pytest.mark.parametrize(("order", "every"), [(1, 1), (3, 2), (5, 1)])
def test_counting_is_that_of_witten_and_bell(order, every):
    whole = [x + y[-1] for x, y in zip(*TEXTS.train, strict=True)][::every]
    probability = witten_bell(whole, order)
    losses = [
        -np.log(probability(c, (x[: i + 1])[max(0, i + 2 - order) :]))
        for x, y in zip(*TEXTS.test, strict=True)
        for i, c in enumerate(y)
    ]
    loss = module.count_letters(TEXTS, order, every=every)
    np.testing.assert_allclose(loss, np.mean(losses), rtol=1e-6)


def test_probabilities_sum_to_one():
    probability = witten_bell([x + y[-1] for x, y in zip(*TEXTS.train, strict=True)], 4)
    for context in ("", "the", "xyz", "\n\n"):
        total = sum(probability(c, context[-3:]) for c in TEXTS.class_names)
        assert total == pytest.approx(1)


def test_what_comes_next_is_the_target():
    tokenizer = ka.layers.Tokenizer.train(TEXTS.class_names, model="character", min_frequency=1)
    splits = module.encode(TEXTS, tokenizer)
    for x, y in (splits.train, splits.test):
        ids = tokenizer.encode(x)
        np.testing.assert_array_equal(ids[:, 1:], y[:, :-1])
        assert (y > 1).all()
        assert y.dtype == np.int32
