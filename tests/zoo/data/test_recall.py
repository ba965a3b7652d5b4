"""Facts, looked up by hand."""

import numpy as np
import pytest

from zoo.data import recall

pytestmark = pytest.mark.runs_on("torch")


def test_the_answer_is_the_digit_of_the_key():
    splits = recall.load(lengths=(2, 5), sequences=50, test=10)
    x, y = splits.test
    sizes = [len(text.split()) for text in x["token_ids"]]
    np.testing.assert_array_equal(sizes, np.repeat([2, 5], 10))
    for x, y in (splits.train, splits.validation, splits.test):
        for facts, question, answer in zip(x["token_ids"], x["question_ids"], y, strict=True):
            pairs = {fact[0]: int(fact[1:]) for fact in facts.split()}
            assert len(pairs) == len(facts.split()), "no key comes twice"
            assert pairs[question] == answer
    assert splits.train[1].shape == (50,)
    assert splits.validation[1].shape == (5,)


def test_a_seed_brings_them_back():
    first, again, other = (
        recall.load(sequences=20, test=2, seed=seed).sha256() for seed in (0, 0, 1)
    )
    assert first == again != other


def test_more_pairs_than_keys_are_refused():
    with pytest.raises(ValueError, match="between 1 and 52, the number of keys"):
        recall.load(lengths=(4, 53))
