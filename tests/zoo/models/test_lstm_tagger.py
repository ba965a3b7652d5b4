import numpy as np
import pytest

import keras_attention as ka
from tests.zoo.models.contracts import ModelCase, call
from tests.zoo.models.taggers import SIZE, inputs, padded
from zoo.models.lstm_tagger import VARIANTS, lstm_tagger

pytestmark = pytest.mark.runs_on("tensorflow")

CASES = [
    ModelCase(
        model=lstm_tagger,
        sizes=VARIANTS["tiny"],
        inputs=inputs,
        maps=1,
        config={
            "vocabulary_size": SIZE,
            "num_classes": 3,
            "class_names": ["O", "B-x", "I-x"],
            "entities": True,
        },
        padded=padded,
        rows=True,
    )
]
PARAMETERS = {"default": 643_011, "tiny": 12_779}


def test_states_see_both_sides():
    case = CASES[0]
    model, data = case.make(), case.data(1)
    expected = call(model, data)
    for at in (0, -1):
        changed = {name: x.copy() for name, x in data.items()}
        changed["token_ids"][:, at] = changed["token_ids"][:, at] % (SIZE - 1) + 1
        logits = call(model, changed)
        assert np.abs(logits - expected).max(axis=(0, 2)).min() > 1e-6


def test_words_alone_go_in():
    """One sentence, as a user has it, through both encoders of one file."""
    tokenizer = ka.layers.Tokenizer.train([["a", "b"]], model="word", words=True, min_frequency=1)
    model = lstm_tagger(**VARIANTS["tiny"], tokenizer=tokenizer, num_classes=2)
    (answers,) = ka.predict(model, ["b, a!"])
    assert [word for word, _ in answers] == ["b", ",", "a", "!"]
    assert all(answer.label in ("0", "1") for _, answer in answers)
