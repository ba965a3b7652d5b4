"""Cart-pole: what is observed, and simple policies."""

import sys

import numpy as np
import pytest

from zoo import recipes
from zoo.data import cartpole as data
from zoo.data import games

pytestmark = pytest.mark.runs_on("torch")

SEEDS = range(data.TEST, data.TEST + 4)


def observations(policy, seed=0, **settings):
    return games.watch(lambda: data.make(**settings), policy, seed)


def test_velocities_are_hidden_and_the_past_is_given():
    whole = observations(lambda x: np.array([1]))
    positions = observations(lambda x: np.array([1]), velocities=False)
    past = observations(lambda x: np.array([1]), velocities=False, history=3)
    np.testing.assert_array_equal(positions, whole[:, [0, 2]])
    for step, seen in enumerate(past):
        expected = [positions[max(0, step - ago)] for ago in (2, 1, 0)]
        np.testing.assert_array_equal(seen, expected)
    for seen in (whole, positions, past):
        np.testing.assert_array_equal(data.positions(seen), positions)


def test_velocity_is_that_of_the_past():
    """By hand: the pole goes on as it went."""
    leans_and_rises = data.observe(np.array([0.05]), np.array([-1.0]), (2, 2))
    np.testing.assert_allclose(leans_and_rises[0], [[0, 0.07], [0, 0.05]], atol=1e-6)
    assert data.leaning(leans_and_rises) == [1]
    assert data.falling(leans_and_rises) == [0]
    whole = data.observe(np.array([0.05]), np.array([-1.0]), (4,))
    np.testing.assert_allclose(whole, [[0, 0, 0.05, -1.0]])
    assert data.falling(whole) == [0]
    alone = data.observe(np.array([0.05]), np.array([-1.0]), (2,))
    assert data.falling(alone) == [1], "one observation does not tell"


@pytest.mark.parametrize("settings", [{}, {"velocities": False, "history": 2}])
def test_who_sees_it_fall_keeps_it_up(settings):
    def mean(policy):
        return games.play(lambda: data.make(**settings), policy, SEEDS).mean()

    assert mean(data.leaning) < 100
    assert mean(data.falling) == data.STEPS


def test_episodes_are_told_by_their_seeds():
    splits = data.load(data.make, test=3, validation=2, train=2)
    x, y = splits.test
    for first, seed in zip(x, y, strict=True):
        np.testing.assert_array_equal(data.make().reset(seed=int(seed))[0], first)
    assert not set(y) & set(splits.validation[1])
    assert len(splits.train[0]) == len(splits.train[1]) > 20
    assert splits.sha256() == data.load(data.make, test=3, validation=2, train=2).sha256()
    assert splits.sha256() != data.load(data.make, test=4, validation=2, train=2).sha256()


def test_what_is_missing_is_named(monkeypatch):
    for module in ("zoo.data.cartpole", "zoo.tasks.cartpole", "zoo.recipes.cartpole"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.delattr("zoo.data.cartpole")
    monkeypatch.delattr("zoo.tasks.cartpole", raising=False)
    monkeypatch.setitem(sys.modules, "gymnasium", None)
    with pytest.raises(ModuleNotFoundError, match=r'needs gymnasium: .*"keras-attention\[zoo\]"'):
        recipes.load("cartpole")
