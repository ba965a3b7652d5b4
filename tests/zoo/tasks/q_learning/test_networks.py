"""The copies of a network: double Q-learning, updates of the target, and their state."""

import keras
import numpy as np
import pytest

from tests.backend import to_numpy
from zoo.tasks.q_learning.networks import Networks, double_q, greedy, values

pytestmark = pytest.mark.runs_on("torch")


def network(seed=0):
    keras.utils.set_random_seed(seed)
    return keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(4, "tanh"), keras.layers.Dense(5)]
    )


def observations(batch=6):
    return np.random.default_rng(1).normal(size=(batch, 3)).astype("float32")


def test_one_network_chooses_and_the_other_values():
    """Equation 4 of the paper, state by state."""
    choosing, valuing = np.random.default_rng(0).normal(size=(2, 20, 5))
    expected = []
    for q, other in zip(choosing, valuing, strict=True):
        best = max(range(5), key=lambda a: q[a])
        expected.append(other[best])
    np.testing.assert_array_equal(double_q(choosing, valuing), expected)
    assert not np.allclose(expected, valuing.max(axis=1)), "else it would be plain Q-learning"


def test_worth_is_the_targets_value_of_the_online_choice():
    model, x = network(), observations()
    networks = Networks(model, rate=1.0, every=2)
    old = to_numpy(model(x))
    model.set_weights([w + 0.5 * i for i, w in enumerate(network(1).get_weights(), 1)])
    networks.update(model.get_weights())  # the first of two: the target stays
    new = to_numpy(model(x))
    np.testing.assert_array_equal(networks.actions(x), new.argmax(axis=1))
    assert (new.argmax(axis=1) != old.argmax(axis=1)).any()
    np.testing.assert_allclose(networks.worth(x), double_q(new, old), rtol=1e-5)
    networks.update(model.get_weights())
    np.testing.assert_allclose(networks.worth(x), new.max(axis=1), rtol=1e-5)


def test_the_target_goes_its_share_of_the_way():
    model, other = network(), network(1)
    networks = Networks(model, rate=0.25)
    before = model.get_weights()
    for _ in range(2):
        networks.update(other.get_weights())
    target = [networks.get_state()[f"target/{i}"] for i in range(len(before))]
    for weight, old, new in zip(target, before, other.get_weights(), strict=True):
        np.testing.assert_allclose(weight, 0.75**2 * old + (1 - 0.75**2) * new, atol=1e-6)
    for kept, weights in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(kept, weights)


def test_state_brings_them_back():
    model, x = network(), observations()
    networks, other = Networks(model, every=2), Networks(network(2), every=2)
    networks.update(network(1).get_weights())
    other.set_state(networks.get_state())
    for each in (networks, other):
        each.update(network(3).get_weights())
    np.testing.assert_array_equal(other.worth(x), networks.worth(x))


def test_policies_follow_the_weights():
    model, x = network(), observations()
    value, policy = values(model), greedy(model)
    for seed in (0, 1):
        model.set_weights(network(seed).get_weights())
        expected = to_numpy(model(x))
        np.testing.assert_allclose(value(x), expected, rtol=1e-5)
        np.testing.assert_array_equal(policy(x), expected.argmax(axis=1))


def test_rate_is_checked():
    with pytest.raises(ValueError, match=r"above 0 and at most 1\. Received: rate=0"):
        Networks(network(), rate=0)
