"""Games that a checkpoint brings back, and episodes to measure with."""

import numpy as np
import pytest

from tests.zoo.data.walk import Walk
from zoo.data import games

pytestmark = pytest.mark.runs_on("torch")


def test_games_are_brought_back_by_seed_and_actions():
    game, other = games.Game(Walk()), games.Game(Walk())
    game.begin(5)
    for action in (2, 0, 1):
        game.step(action)
    other.set_state(game.get_state())
    ours, theirs = game.step(2), other.step(2)
    np.testing.assert_array_equal(ours[0], theirs[0])
    assert (ours[1:], game.total, game.over) == (theirs[1:], other.total, other.over)


def test_returns_are_those_of_the_seeds_one_by_one():
    """Played together as alone; a policy's answer for an episode that is over does not count."""
    seeds = range(6)
    together = games.play(Walk, lambda x: np.where(x[:, 1] < 3, 2, 1), seeds)
    alone = [games.play(Walk, lambda x: np.where(x[:, 1] < 3, 2, 1), [s])[0] for s in seeds]
    assert together.tolist() == alone
    starts = [Walk().reset(seed=seed)[0][0] for seed in seeds]
    assert together.tolist() == [float(3 - start <= 3) for start in starts]
    seen = games.watch(Walk, lambda x: np.full(len(x), 2), 0)
    assert seen[:, 0].tolist() == list(range(int(starts[0]), 4))
