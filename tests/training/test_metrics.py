"""The accuracy of tokens: each counts alike, by its weight."""

import keras
import numpy as np
import pytest

import keras_attention as ka

LENGTHS = ((1, 2), (3, 7))  # how many of a batch are right, and how many there are


def batches():
    """Batches of all lengths, whose last token is padding."""
    for right, length in LENGTHS:
        logits = np.zeros((1, length, 2), "float32")
        logits[0, :right, 1] = 1.0
        weights = np.ones((1, length), "float32")
        weights[0, -1] = 0.0
        yield np.ones((1, length), "int32"), logits, weights


def test_every_token_counts_alike_in_batches_of_all_lengths():
    metric = ka.training.TokenAccuracy()
    for batch in batches():
        metric.update_state(*batch)
    assert float(metric.result()) == pytest.approx(4 / 7)
    metric.reset_state()
    for y, logits, _ in batches():
        metric.update_state(y, logits)
    assert float(metric.result()) == pytest.approx(4 / 9)


def test_without_tokens_it_is_zero():
    assert float(ka.training.TokenAccuracy().result()) == 0.0


def test_files_of_before_name_it():
    """It was the zoo's `WordAccuracy` when the first files were saved."""
    metric = ka.training.TokenAccuracy(name="right")
    assert keras.metrics.deserialize(keras.metrics.serialize(metric)).name == "right"
    assert keras.saving.get_registered_name(ka.training.TokenAccuracy) == "zoo>WordAccuracy"
    config = {
        "module": "zoo.tagging",
        "class_name": "WordAccuracy",
        "config": {"name": "accuracy", "dtype": "float32"},
        "registered_name": "zoo>WordAccuracy",
    }
    loaded = keras.saving.deserialize_keras_object(config)
    assert isinstance(loaded, ka.training.TokenAccuracy)
