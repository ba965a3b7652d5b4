"""A game for tests to play."""

import numpy as np


class Space:
    n = 3


class Walk:
    """A walk on numbers: the goal is 3, for good, and at most 8 steps are walked."""

    action_space = Space()

    def reset(self, *, seed):
        self._place, self._steps = np.random.default_rng(seed).integers(-2, 2), 0
        return self._seen(), {}

    def step(self, action):
        self._place, self._steps = self._place + action - 1, self._steps + 1
        final = self._place == 3
        return self._seen(), float(final), bool(final), self._steps == 8, {}

    def _seen(self):
        return np.array([self._place, self._steps], np.float32)
