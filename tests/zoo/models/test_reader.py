"""The reader: cases for the contract, and the question comes last."""

import numpy as np
import pytest

import keras_attention as ka
from tests.zoo.models.contracts import ModelCase, call
from zoo.models.reader import VARIANTS, reader

pytestmark = pytest.mark.runs_on("torch")

SIZE = 20


def inputs(rng, batch):
    facts = rng.integers(1, SIZE, (batch, 6))
    lengths = rng.integers(1, 7, (batch, 1))
    facts = np.where(np.arange(6) < lengths, facts, 0).astype("int32")
    return {"token_ids": facts, "question_ids": rng.integers(1, SIZE, (batch, 1)).astype("int32")}


def padded(inputs, by):
    return {**inputs, "token_ids": np.pad(inputs["token_ids"], ((0, 0), (0, by)))}


CASES = [
    ModelCase(
        model=reader,
        sizes=VARIANTS[name],
        inputs=inputs,
        maps=maps,
        config={"vocabulary_size": SIZE, "num_classes": 3},
        padded=padded,
    )
    for name, maps in (("tiny", 1), ("tiny_lstm", 0), ("tiny_transformer", 1))
]
PARAMETERS = {
    "default": 104_451,
    "lstm": 105_695,
    "transformer": 105_699,
    "tiny": 931,
    "tiny_lstm": 731,
    "tiny_transformer": 803,
}


@pytest.mark.parametrize("case", CASES)
def test_facts_and_question_count(case):
    model, data = case.make(), case.data()
    expected = call(model, data)
    for name, at in (("token_ids", 0), ("question_ids", 0)):
        changed = {**data, name: data[name].copy()}
        changed[name][:, at] = changed[name][:, at] % (SIZE - 1) + 1
        assert np.abs(call(model, changed) - expected).max(axis=1).min() > 1e-6


def test_text_goes_in():
    tokenizer = ka.layers.Tokenizer.train(["a1 b2 a b"], model="word", min_frequency=1)
    model = reader(**VARIANTS["tiny"], tokenizer=tokenizer, num_classes=2)
    (answer,) = ka.predict(model, {"token_ids": ["b2 a1"], "question_ids": ["a"]})
    assert answer.label in ("0", "1")


def test_bad_kind_is_named():
    with pytest.raises(ValueError, match="`kind` must be 'lstm', 'attention' or 'transformer'"):
        reader(**{**VARIANTS["tiny"], "kind": "gru"}, vocabulary_size=SIZE)
