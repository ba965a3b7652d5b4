"""The replay: returns against the sum they are, step by step, and what is drawn."""

import numpy as np
import pytest

from zoo.tasks.q_learning.replay import Replay

pytestmark = pytest.mark.runs_on("torch")

DISCOUNT = 0.9


def played(steps, *, games=2, capacity=200, seed=0, **settings):
    """A replay of made-up games, and their episodes: per game lists of steps
    `(observation, action, reward, next observation, ended for good, end of episode)`."""
    rng = np.random.default_rng(seed)
    replay = Replay(
        (1,), games=games, capacity=capacity, discount=DISCOUNT,
        **{"batch_size": 4, "num_batches": 3, **settings},
    )  # fmt: skip
    names = iter(np.arange(1.0, 10_000.0))  # each observation is another number
    seen = np.array([[next(names)] for _ in range(games)])
    replay.begin(seen)
    over = np.zeros(games, bool)
    episodes = [[[]] for _ in range(games)]
    for _ in range(steps):
        actions, rewards = rng.integers(0, 3, games), rng.normal(size=games)
        actions[over] = -1
        rewards[over] = 0
        after = np.array([[next(names)] for _ in range(games)])
        ends = (rng.random(games) < 0.2) & ~over
        final = ends & (rng.random(games) < 0.5)
        for g in range(games):
            if over[g]:
                episodes[g].append([])
            else:
                step = (seen[g, 0], actions[g], rewards[g], after[g, 0], final[g])
                episodes[g][-1].append(step)
        replay.add(actions, rewards, after, final)
        seen, over = after, ends
    return replay, [episode for game in episodes for episode in game]


def expected(episodes, n, value):
    """By observation: action and target, `sum_i g^i r_i + g^m V(s_m)` with m = n or less."""
    by_observation = {}
    for episode in episodes:
        for t, (observation, action, *_) in enumerate(episode):
            steps = episode[t : t + n]
            target = sum(DISCOUNT**i * step[2] for i, step in enumerate(steps))
            last = steps[-1]
            if not last[4]:
                target += DISCOUNT ** len(steps) * value(last[3])
            by_observation[observation] = action, target
    return by_observation


def value(observation):
    return np.sin(observation)


@pytest.mark.parametrize("n", [1, 3, 7])
@pytest.mark.parametrize("capacity", [1000, 60])
def test_targets_are_returns_of_n_steps_and_the_value_after(n, capacity):
    replay, episodes = played(100, n=n, capacity=capacity, batch_size=64, num_batches=20)
    replay.values = lambda x: value(x[:, 0])
    known = expected(episodes, n, value)
    np.random.seed(0)
    replay.on_epoch_begin()
    drawn = set()
    for index in range(replay.num_batches):
        x, y = replay[index]
        for (observation,), (action, target) in zip(x, y, strict=True):
            assert action == known[observation][0]
            assert target == pytest.approx(known[observation][1], abs=1e-4)
            drawn.add(observation)
    kept = sorted(known) if capacity == 1000 else [o for o in known if o > max(known) - 60]
    assert drawn <= set(kept)
    assert len(drawn) > 0.9 * len(kept), "all steps are drawn alike"


def test_before_anything_is_played_batches_have_their_shapes():
    """`fit` looks at one before it begins."""
    replay = Replay((3, 2), games=2, capacity=20, batch_size=5, num_batches=2)
    replay.on_epoch_begin()
    x, y = replay[0]
    assert (x.shape, y.shape) == ((5, 3, 2), (5, 2))
    assert replay.empty


@pytest.mark.parametrize("steps", [5, 50])
def test_state_brings_it_back(steps):
    """The same is drawn, and what is added goes to the same place."""
    replay, _ = played(steps, capacity=40, n=2)
    other, _ = played(90, capacity=40, n=2, seed=3)
    other.set_state({name: array.copy() for name, array in replay.get_state().items()})
    for each in (replay, other):
        each.values = lambda x: value(x[:, 0])
        each.add(np.array([1, -1]), np.ones(2), np.full((2, 1), -5.0), np.zeros(2, bool))
        np.random.seed(1)
        each.on_epoch_begin()
    for index in range(replay.num_batches):
        for ours, theirs in zip(replay[index], other[index], strict=True):
            np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(other.newest, [[-5.0], [-5.0]])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n": 0}, "`n` must be a positive integer"),
        ({"discount": 1.5}, "`discount` must be from 0 to 1. Received: discount=1.5"),
        ({"capacity": 5, "n": 2}, "more than 2 steps for each of 2 games. Received: capacity=5"),
    ],
)
def test_arguments_are_checked(settings, message):
    with pytest.raises(ValueError, match=message):
        Replay((1,), **{"games": 2, "capacity": 20, "batch_size": 1, "num_batches": 1, **settings})


def test_values_are_needed():
    replay, _ = played(5)
    with pytest.raises(ValueError, match="`values` must be a function of observations"):
        replay.draw()
