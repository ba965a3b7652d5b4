"""Games that a checkpoint brings back, and episodes to measure policies with."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

Policy = Callable[[np.ndarray], np.ndarray]  # actions (B,) for observations (B, ...)


class Game:
    """An environment of `gymnasium` whose state can be saved.

    Environments have no state to save. What happens in one is determined by the seed of the
    episode and the actions since, so these are its state: it is played again.

    Args:
        env: as `gymnasium.make` gives it.
    """

    def __init__(self, env: Any) -> None:
        self.env = env
        self.total = 0.0  # the return of the episode, this far
        self.over = True
        self._seed = 0
        self._actions: list[int] = []

    def begin(self, seed: int) -> np.ndarray:
        """Begins another episode, and returns its first observation."""
        self._seed, self._actions, self.total, self.over = int(seed), [], 0.0, False
        return self.env.reset(seed=self._seed)[0]

    def step(self, action: int) -> tuple[np.ndarray, float, bool]:
        """Returns the observation after an action, its reward, and whether the game ended for good.

        A game that is `over` and did not end for good was broken off by a limit of its time.
        """
        observation, reward, final, cut, _ = self.env.step(int(action))
        self._actions.append(int(action))
        self.total += float(reward)
        self.over = final or cut
        return observation, float(reward), bool(final)

    def get_state(self) -> dict[str, np.ndarray]:
        """Returns the seed of the episode and its actions."""
        return {"seed": np.array(self._seed), "actions": np.array(self._actions, np.int64)}

    def set_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Plays the episode again up to where `get_state` was called."""
        self.begin(int(state["seed"]))
        for action in state["actions"]:
            self.step(action)


def play(make: Callable[[], Any], policy: Policy, seeds: Sequence[int]) -> np.ndarray:
    """Plays an episode for each seed at the same time, and returns their returns `(B,)`.

    Args:
        make: gives an environment.
        policy: the actions for the observations of all of them; those of episodes that are over
            do not count.
        seeds: of the episodes.
    """
    games = [Game(make()) for _ in seeds]
    observations = np.stack([game.begin(seed) for game, seed in zip(games, seeds, strict=True)])
    while not all(game.over for game in games):
        for i, action in enumerate(policy(observations)):
            if not games[i].over:
                observations[i] = games[i].step(action)[0]
    return np.array([game.total for game in games])


def watch(make: Callable[[], Any], policy: Policy, seed: int) -> np.ndarray:
    """Returns `(T, ...)`, what a policy observes in an episode, the end of it included."""
    game = Game(make())
    observations = [game.begin(seed)]
    while not game.over:
        observations.append(game.step(policy(observations[-1][None])[0])[0])
    return np.stack(observations)
