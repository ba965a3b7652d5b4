"""Entity labels: cases for the contract, and decoding against every sequence there is."""

import itertools

import numpy as np
import pytest

import keras_attention as ka
from keras_attention.layers import EntityLabels
from tests.backend import to_numpy
from tests.contracts import Case

NAMES = ["B-a", "I-a", "O", "B-b", "I-b"]
CASES = [
    Case(
        layer=EntityLabels,
        config={"num_classes": 5, "names": NAMES, "outside_bias": -0.5},
        inputs={"logits": ("T", 5)},
        masks={"mask": "logits"},
        stateless=True,
    )
]


def valid(tags):
    """Whether every I-x stands behind a tag of x."""
    pairs = itertools.pairwise(["O", *tags])
    return all(not tag.startswith("I-") or before[2:] == tag[2:] for before, tag in pairs)


def best(logits, bias):
    """The most probable of all valid sequences, one by one."""
    probability = np.exp(logits + bias * (np.array(NAMES) == "O"))
    probability /= probability.sum(-1, keepdims=True)
    sequences = [
        tags
        for tags in itertools.product(range(5), repeat=len(logits))
        if valid([NAMES[tag] for tag in tags])
    ]
    return max(sequences, key=lambda tags: np.prod(probability[range(len(tags)), tags]))


@pytest.mark.parametrize("bias", [0.0, -1.5])
def test_the_best_of_all_valid_sequences(bias):
    logits = 2 * np.random.default_rng(0).normal(size=(8, 5, 5))
    layer = EntityLabels(5, NAMES, outside_bias=bias)
    expected = [list(best(row, bias)) for row in logits]
    assert layer.tags(logits).tolist() == expected
    answers = layer.decode(logits, top=2)
    assert [[answer.label for answer in row] for row in answers] == [
        [NAMES[tag] for tag in row] for row in expected
    ]
    assert expected != logits.argmax(-1).tolist()
    answer = answers[0][0]
    assert len(answer.ranking) == 2
    assert answer.probability <= answer.ranking[0][1] <= 1


def test_padding_says_nothing_of_the_words():
    layer = EntityLabels(5, NAMES)
    logits = np.random.default_rng(1).normal(size=(20, 4, 5)).astype("float32")
    padded = np.concatenate([logits, np.full((20, 2, 5), np.nan, "float32")], axis=1)
    out = to_numpy(layer(padded, mask=np.arange(6)[None].repeat(20, 0) < 4))
    np.testing.assert_array_equal(layer.tags(out)[:, :4], layer.tags(logits))


def test_ends_of_sentences():
    layer = EntityLabels(5, NAMES)
    inside = np.log([[[0.1, 0.6, 0.1, 0.1, 0.1]]])
    assert valid([layer.decode(inside)[0][0].label])
    assert layer.decode(np.zeros((0, 3, 5))) == []


@pytest.mark.parametrize("names", [["a", "O"], ["B-a", "I-a"], ["O", "I-a"]])
def test_names_must_be_tags(names):
    with pytest.raises(ValueError, match="must be 'O', and 'B-x' and 'I-x' of each type x"):
        ka.layers.EntityLabels(2, names)


def test_the_number_of_tags_is_bounded():
    names = ["O", *(f"B-{i}" for i in range(4096))]
    with pytest.raises(ValueError, match="`num_classes` must be at most 4096"):
        ka.layers.EntityLabels(len(names), names)
