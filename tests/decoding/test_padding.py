"""Padding that is no token, so that every id is one; and texts that end in more than one way."""

import functools

import keras
import numpy as np
import pytest
from keras import ops

import keras_attention as ka
from keras_attention import decoding
from tests.decoding.models import language_model, log_probabilities, logits_after, translator

ALPHABET = "!abcdefghijkl"  # 13 letters, of which the first has the id 0
PROMPTS = ["ab!", "!!cdefg", "k"]
TEXTS = [*PROMPTS, "a", "!", "kd"]
ENDS = (7, 10)


class Letters(keras.layers.Layer):
    """A vocabulary of one's own: ids of letters, padded with -1."""

    encodes = "texts"
    padding_id = -1
    max_length = None
    words = False
    has_vocabulary = True
    vocabulary = tuple(ALPHABET)
    start_id = None
    end_id = None
    end_ids = ()

    def __init__(self, end_ids=(), **kwargs):
        super().__init__(dtype="int32", **kwargs)
        self.supports_masking = True
        if end_ids:
            self.end_id, self.end_ids = end_ids[0], end_ids

    def call(self, ids):
        return ops.maximum(ops.cast(ids, "int32"), 0)

    def compute_mask(self, ids, previous_mask=None):
        return ops.not_equal(ids, -1)

    def encode(self, raw, *, end=True, whole=False):
        if isinstance(raw, np.ndarray):
            return raw
        rows = [[ALPHABET.index(letter) for letter in text] for text in raw]
        return pad(rows)

    def decode(self, token_ids):
        return ["".join(ALPHABET[i] for i in row if i >= 0) for row in np.asarray(token_ids)]

    def tokens(self, text):
        return list(text)


def pad(rows, left=False):
    ids = np.full((len(rows), max(map(len, rows))), -1, "int32")
    for padded, row in zip(ids, rows, strict=True):
        padded[-len(row) if left else 0 :][: len(row)] = row
    return ids


LETTERS = Letters(name="letters")
ENDING = Letters(ENDS, name="letters")


@functools.cache
def writer(tokenizer=LETTERS):
    """A model that writes the first letter often."""
    model = language_model.__wrapped__(tokenizer=tokenizer)
    head = model.layers[-1]
    head.bias.assign(head.bias + np.eye(len(ALPHABET))[0])
    return model


def read(texts):
    return [[ALPHABET.index(letter) for letter in text] for text in texts]


def search(model, row, samplers, count, stop=()):
    """New ids of a row by the uncached model: the best after each of the samplers."""
    new = []
    for _ in range(count):
        ids = np.array([[*row, *new]], "int32")
        history = decoding.History(
            ops.convert_to_tensor(ids), ops.ones(ids.shape, "bool"), ids.shape[1]
        )
        logits = ops.convert_to_tensor(logits_after(model, ids[0])[None], "float32")
        for sampler in samplers:
            logits = sampler(logits, history)
        token = int(ops.argmax(logits, axis=-1)[0])
        if token in stop:
            break
        new.append(token)
    return new


@pytest.mark.parametrize(
    "samplers",
    [
        (decoding.Greedy(),),
        (decoding.RepetitionPenalty(1.7), decoding.NoRepeatNGrams(2), decoding.Greedy()),
    ],
    ids=["greedy", "no repetition"],
)
def test_every_id_is_a_token(samplers):
    """Id 0 is read, counted and written like the others, in rows of different lengths."""
    model = writer()
    rows = read(PROMPTS)
    expected = [search(model, row, samplers, 12) for row in rows]
    assert 0 in np.concatenate(expected)
    options = {"sampler": samplers, "max_new_tokens": 12}
    for prompt in (rows, pad(rows), pad(rows, left=True)):
        assert [row.tolist() for row in ka.generate(model, prompt, **options)] == expected
    texts = ka.generate(model, PROMPTS, **options)
    assert texts == ["".join(ALPHABET[i] for i in row) for row in expected]


def test_each_of_several_ends_ends():
    """Maps have a row for the one that was written."""
    rows = read(TEXTS)
    greedy = [search(writer(), row, (), 5) for row in rows]
    written = [search(writer(), row, (), 5, stop=ENDS) for row in rows]
    last = {
        whole[len(new)] for whole, new in zip(greedy, written, strict=True) if len(new) < len(whole)
    }
    assert last == {*ENDS}
    assert max(map(len, written)) == 5
    model = writer(ENDING)
    assert [row.tolist() for row in ka.generate(model, rows, max_new_tokens=5)] == written
    generated = ka.explain.generation_maps(model, TEXTS, max_new_tokens=5)
    for text, one, whole, new in zip(TEXTS, generated, greedy, written, strict=True):
        letters = [ALPHABET[i] for i in whole[: len(new) + 1]]
        assert one.output == "".join(letters[: len(new)])
        assert one.queries["block_1/attention"] == letters
        assert one.keys["block_1/attention"] == [*text, *letters[:-1]]


def test_beams_end_in_either_way():
    """With a beam for each id the search finds the best of all texts of two ids."""
    rows = read(["a", "!h"])
    sampler = decoding.BeamSearch(len(ALPHABET), length_penalty=0.0, num_results=1)
    results = ka.generate(writer(ENDING), rows, sampler=sampler, max_new_tokens=2)
    for row, (best,) in zip(rows, results, strict=True):
        first = log_probabilities(writer(), row)
        scores = {(i,): first[i] for i in ENDS}
        for i in {*range(len(ALPHABET))} - {*ENDS}:
            second = log_probabilities(writer(), [*row, i])
            scores |= {(i, j): first[i] + second[j] for j in range(len(ALPHABET))}
        expected = max(scores, key=scores.get)
        np.testing.assert_allclose(best.score, scores[expected], atol=1e-4)
        assert best.output.tolist() == [i for i in expected if i not in ENDS]


def test_sources_are_padded_with_it():
    model = translator(Letters(name="source"), Letters(name="target"))
    sources, starts = read(["abc!", "!d", "e"]), [[1], [1, 0], [3]]
    alone = [
        ka.generate(
            model,
            {"source_ids": np.array([source], "int32"), "target_ids": [start]},
            max_new_tokens=6,
        )[0].tolist()
        for source, start in zip(sources, starts, strict=True)
    ]
    together = ka.generate(model, {"source_ids": sources, "target_ids": starts}, max_new_tokens=6)
    assert [row.tolist() for row in together] == alone


def test_no_mask_is_said_to_be_lost(recwarn):
    """Keras would say so of the parts into which a model is cut, though masks go through them."""
    inputs = {"source_ids": [[1, 2, 3], [4]], "target_ids": [[1], [1]]}
    for _ in range(2):
        ka.generate(translator.__wrapped__(), inputs, max_new_tokens=2)
    assert not [warning for warning in recwarn if "mask" in str(warning.message)]
