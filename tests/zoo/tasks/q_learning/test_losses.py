"""The loss of the action that was taken."""

import keras
import numpy as np

from tests.backend import gradients, to_numpy
from zoo.tasks.q_learning.losses import ActionHuber


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
