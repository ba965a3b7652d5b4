from contextlib import nullcontext

import keras
import numpy as np
import pytest

from keras_attention.training import (
    ActionHuber,
    SmoothedCrossentropy,
    SparseCategoricalCrossentropy,
)
from tests.backend import BACKEND, gradients, to_numpy

LOGITS = np.random.default_rng(0).normal(size=(3, 4, 7)).astype("float32")
TARGETS = np.random.default_rng(1).integers(0, 7, (3, 4)).astype("int32")
WEIGHTS = np.array([[1, 1, 1, 0], [1, 0, 0, 0], [1, 1, 1, 1]], "float32")


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_is_that_of_one_hot_targets(smoothing):
    """Values and gradients, padding left out."""
    one_hot = np.eye(7, dtype="float32")[TARGETS]
    theirs = keras.losses.CategoricalCrossentropy(
        from_logits=True, label_smoothing=smoothing, reduction="mean_with_sample_weight"
    )
    ours = SmoothedCrossentropy(smoothing)
    expected = gradients(lambda logits: theirs(one_hot, logits, WEIGHTS), [LOGITS])
    computed = gradients(lambda logits: ours(TARGETS, logits, WEIGHTS), [LOGITS])
    np.testing.assert_allclose(computed[0], expected[0], rtol=1e-5)
    np.testing.assert_allclose(computed[1][0], expected[1][0], atol=1e-6)
    assert (computed[1][0][WEIGHTS == 0] == 0).all()


@pytest.mark.parametrize("settings", [{}, {"ignore_class": 3}, {"reduction": "sum"}])
@pytest.mark.parametrize("targets", [TARGETS, TARGETS[..., None]], ids=["(B, T)", "(B, T, 1)"])
def test_is_that_of_keras(settings, targets):
    """Values and gradients of a class at each position."""
    theirs = keras.losses.SparseCategoricalCrossentropy(from_logits=True, **settings)
    ours = SparseCategoricalCrossentropy(**settings)
    expected = gradients(lambda logits: theirs(targets, logits, WEIGHTS), [LOGITS])
    computed = gradients(lambda logits: ours(targets, logits, WEIGHTS), [LOGITS])
    np.testing.assert_allclose(computed[0], expected[0], rtol=1e-5)
    np.testing.assert_allclose(computed[1][0], expected[1][0], atol=1e-6)


def test_shares_of_classes_are_taken_too():
    shares = np.exp(LOGITS) / np.exp(LOGITS).sum(-1, keepdims=True)
    loss = SparseCategoricalCrossentropy(from_logits=False)
    loss = SparseCategoricalCrossentropy.from_config(loss.get_config())
    expected = to_numpy(SparseCategoricalCrossentropy()(TARGETS, LOGITS))
    np.testing.assert_allclose(to_numpy(loss(TARGETS, shares)), expected, rtol=1e-5)


@pytest.mark.parametrize("target", [7, -100])
def test_a_class_that_is_not_there_has_no_loss(target):
    """PyTorch and TensorFlow refuse it, each by an error of its own; JAX's loss is NaN."""
    refused = nullcontext() if BACKEND == "jax" else pytest.raises(Exception, match=r"range|bound")
    loss = np.nan
    with refused:
        loss = to_numpy(SparseCategoricalCrossentropy()(np.full((3, 4), target, "int32"), LOGITS))
    assert np.isnan(loss)


def test_padding_does_not_count():
    ours = SmoothedCrossentropy()
    changed = np.where(WEIGHTS[..., None] > 0, LOGITS, 99.0)
    expected = to_numpy(ours(TARGETS, LOGITS, WEIGHTS))
    np.testing.assert_allclose(to_numpy(ours(TARGETS, changed, WEIGHTS)), expected, rtol=1e-6)
    by_hand = np.log(np.exp(LOGITS).sum(-1)) - 0.1 * LOGITS.mean(-1)
    by_hand -= 0.9 * np.take_along_axis(LOGITS, TARGETS[..., None], -1)[..., 0]
    np.testing.assert_allclose(expected, by_hand[WEIGHTS > 0].mean(), rtol=1e-5)


def test_goes_with_a_checkpoint():
    loss = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(SmoothedCrossentropy(0.2))
    )
    assert loss.label_smoothing == 0.2
    assert loss.reduction == "mean_with_sample_weight"


def test_only_the_action_that_was_taken_has_a_loss():
    """Value and gradient of the Huber loss, row by row; an error above 1 has the gradient 1."""
    values = np.random.default_rng(2).normal(size=(5, 3)).astype("float32")
    actions, worth = np.array([0, 2, 1, 1, 0]), np.array([0.1, 5.0, -4.0, 0.3, 0.0])
    weights = np.array([1, 2, 1, 0, 1], "float32")
    y = np.stack([actions, worth], axis=1).astype("float32")
    error = values[range(5), actions] - y[:, 1]
    by_hand = np.where(np.abs(error) <= 1, error**2 / 2, np.abs(error) - 0.5)
    expected = np.zeros((5, 3))
    expected[range(5), actions] = np.clip(error, -1, 1) * weights / 5
    loss = ActionHuber()
    value, (gradient,), _ = gradients(lambda values: loss(y, values, weights), [values])
    assert (np.abs(error) > 1).any()
    np.testing.assert_allclose(value, (by_hand * weights).sum() / 5, rtol=1e-5)
    np.testing.assert_allclose(gradient, expected, atol=1e-6)
    assert to_numpy(ActionHuber(delta=9.0)(y, values)) > to_numpy(loss(y, values))


def test_its_registered_name_stays():
    assert keras.saving.get_registered_name(ActionHuber) == "zoo>ActionHuber"
