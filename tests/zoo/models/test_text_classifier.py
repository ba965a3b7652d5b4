"""The text classifier: its cases for the contract, and that it goes from text to a name."""

import keras
import numpy as np
import pytest

import keras_attention as ka
from tests.zoo.models.contracts import ModelCase
from zoo.models.text_classifier import VARIANTS, text_classifier

pytestmark = pytest.mark.runs_on("jax")


def token_ids(rng, batch):
    """Rows of different lengths, padded at their ends."""
    ids = rng.integers(1, 30, (batch, 7))
    lengths = rng.integers(2, 8, (batch, 1))
    return {"token_ids": np.where(np.arange(7) < lengths, ids, 0).astype("int32")}


def padded(inputs, by):
    return {"token_ids": np.pad(inputs["token_ids"], ((0, 0), (0, by)))}


CASES = [
    ModelCase(
        model=text_classifier,
        sizes=VARIANTS["tiny"],
        inputs=token_ids,
        maps=2,
        config={"vocabulary_size": 30, "num_classes": 3},
        padded=padded,
    )
]
PARAMETERS = {"default": 235_587, "tiny": 1_075}


def test_raw_text_to_a_named_class(tmp_path):
    """From the file alone; the order of the words matters."""
    tokenizer = ka.layers.Tokenizer.train(["who bit the dog"] * 2, model="word")
    keras.utils.set_random_seed(0)
    model = text_classifier(
        **VARIANTS["tiny"], tokenizer=tokenizer, num_classes=2, class_names=("bad", "good")
    )
    model.save(tmp_path / "model.keras")
    model = keras.saving.load_model(tmp_path / "model.keras")
    answers = ka.predict(model, ["Who bit the dog", "the dog bit who", "?", ""])
    assert {answer.label for answer in answers} <= {"bad", "good"}
    first, second = (dict(answer.ranking)["good"] for answer in answers[:2])
    assert abs(first - second) > 1e-6
