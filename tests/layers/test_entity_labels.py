"""Entity labels: cases for the contract, and decoding against every sequence there is."""

import itertools
import re

import numpy as np
import pytest

import keras_attention as ka
from keras_attention.layers import EntityLabels
from keras_attention.layers.outputs import tag_schemes
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
    ),
    Case(
        layer=EntityLabels,
        config={"num_classes": 3, "names": ["O", "I-a", "I-b"], "scheme": "IOB1"},
        inputs={"logits": ("T", 3)},
        masks={"mask": "logits"},
        stateless=True,
    ),
]
BIOES = ["O", "B-a", "I-a", "E-a", "S-a", "S-b"]


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


def is_bioes(tags):
    """Whether a sequence is made of entities, written as a regular expression."""
    return bool(re.fullmatch("(O|S-a|S-b|B-a(I-a)*E-a)*", "".join(tags)))


def test_the_best_of_all_sequences_with_ends():
    logits = 2 * np.random.default_rng(0).normal(size=(12, 4, len(BIOES)))
    sequences = [
        tags
        for tags in itertools.product(range(len(BIOES)), repeat=4)
        if is_bioes(BIOES[tag] for tag in tags)
    ]
    expected = [list(max(sequences, key=lambda t: row[range(4), t].sum())) for row in logits]
    assert EntityLabels(len(BIOES), BIOES, scheme="BIOES").tags(logits).tolist() == expected
    assert expected != logits.argmax(-1).tolist()
    other = ["O", "B-a", "M-a", "L-a", "U-a", "U-b"]
    assert EntityLabels(len(BIOES), other, scheme="BIOES").tags(logits).tolist() == expected


def test_entities_may_begin_inside():
    logits = 2 * np.random.default_rng(0).normal(size=(4, 6, 5))
    layer = EntityLabels(5, NAMES, scheme="IOB1")
    np.testing.assert_array_equal(layer.tags(logits), logits.argmax(-1))


@pytest.mark.parametrize(
    ("tags", "entities"),
    [
        ("O", []),
        ("B-a I-a O", [("a", 0, 2)]),
        ("I-a I-a B-a I-b", [("a", 0, 2), ("a", 2, 3), ("b", 3, 4)]),
        ("B-a I-a E-a S-b S-b", [("a", 0, 3), ("b", 3, 4), ("b", 4, 5)]),
        ("B-a L-a U-b O B-a M-a L-a", [("a", 0, 2), ("b", 2, 3), ("a", 4, 7)]),
    ],
)
def test_entities_of_tags(tags, entities):
    assert tag_schemes.find_entities(tags.split()) == entities


@pytest.mark.parametrize(
    ("names", "scheme"),
    [
        (["O", "I-PER", "B-LOC"], "IOB1"),
        (["O", "B-x", "I-x", "E-x", "S-x"], "BIOES"),
        (["O", "B-x", "I-x", "L-x", "U-x"], "BIOES"),
        (["NOUN", "VERB"], None),
        (["LABEL_0", "LABEL_1"], None),
        (["B-x", "I-x"], None),
        (["O", "O-x"], None),
    ],
)
def test_the_scheme_of_published_names(names, scheme):
    assert tag_schemes.find_scheme(names) == scheme
    if scheme is not None:
        EntityLabels(len(names), names, scheme=scheme)


def test_an_unknown_scheme_is_an_error():
    with pytest.raises(ValueError, match=r"one of 'BIO', 'IOB1', 'BIOES'\. Received: scheme='IO'"):
        EntityLabels(5, NAMES, scheme="IO")
