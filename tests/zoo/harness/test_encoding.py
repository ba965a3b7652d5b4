"""Many texts, encoded in parts."""

import numpy as np
import pytest

import keras_attention as ka
import zoo
from zoo.data import objects
from zoo.harness import encoding

pytestmark = pytest.mark.runs_on("torch")


def test_parts_are_what_all_are_at_once(monkeypatch):
    texts = objects(["one", "one two three", "two", "", "three one", "four two one three"])
    model = zoo.text_classifier(
        **zoo.models.text_classifier.VARIANTS["tiny"],
        tokenizer=ka.layers.Tokenizer.train([*texts], model="word", min_frequency=1),
        num_classes=2,
    )
    expected = ka.encode(model, texts)
    monkeypatch.setattr(encoding, "_ROWS", 2)
    calls, encode = [], ka.encode
    monkeypatch.setattr(ka, "encode", lambda *given: calls.append(given) or encode(*given))
    np.testing.assert_array_equal(encoding.encode(model, texts), expected)
    assert [len(raw) for _, raw in calls] == [2, 2, 2]
    np.testing.assert_array_equal(encoding.encode(model, expected), expected)
