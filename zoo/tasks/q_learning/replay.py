"""The replay memory: steps that were played, as batches for `model.fit`."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from keras_attention.ops import checks


class Replay(keras.utils.PyDataset):
    """A replay memory (Mnih et al., 2015, https://doi.org/10.1038/nature14236) of several games
    at once; `model.fit(replay, shuffle=False)`.

    An epoch's batches are drawn as it begins, from NumPy's global random numbers, and their
    targets are computed at once then: inference is fastest on many rows, and `fit` reads ahead of
    training, on each backend by another number of batches. x is an observation, y a pair of the
    action taken and what it turned out to be worth, see `ka.training.ActionHuber`.

    What an action is worth is the return of n steps (Sutton, 1988,
    https://doi.org/10.1007/BF00115009) and the value of where they led, as `values` has it:
    `r_0 + g r_1 + ... + g^(n-1) r_(n-1) + g^n V(s_n)`. There are fewer steps where the episode
    ends or has come no further; no value is added where it ended for good, and one is where it was
    broken off (Pardo et al., 2018, https://arxiv.org/abs/1712.00378).

    Args:
        shape: of an observation.
        games: how many are played at once.
        capacity: how many steps are kept; the oldest make room.
        batch_size: steps per batch.
        num_batches: batches per epoch.
        n: steps of a return.
        discount: g, of a reward that comes a step later.
        values: `f(observations)`, `(B,)` values of being there; set it before `fit`.

    Raises:
        ValueError: a number is not positive, or the discount is not between 0 and 1.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        *,
        games: int,
        capacity: int,
        batch_size: int,
        num_batches: int,
        n: int = 1,
        discount: float = 0.99,
        values: Callable[[np.ndarray], np.ndarray] | None = None,
    ) -> None:
        super().__init__()
        checks.positive_int(games=games, batch_size=batch_size, num_batches=num_batches, n=n)
        if not 0 <= discount <= 1:
            raise ValueError(f"`discount` must be from 0 to 1. Received: discount={discount}")
        rows = capacity // games
        if rows <= n:
            raise ValueError(
                f"`capacity` must be more than {n} steps for each of {games} games. Received: "
                f"capacity={capacity}"
            )
        self.games = games
        self.batch_size = batch_size
        self.n = n
        self.discount = discount
        self.values = values
        self._num_batches = num_batches
        # A row for each observation, with the action and the reward that followed. The action is
        # -1 where none did: the newest observation of a game, and the last one of an episode.
        self._observations = np.zeros((rows, games, *shape), np.float32)
        self._actions = np.full((rows, games), -1, np.int32)
        self._rewards = np.zeros((rows, games), np.float32)
        self._final = np.zeros((rows, games), bool)
        self._count = 0  # of rows written
        self._drawn: tuple[np.ndarray, np.ndarray] | None = None

    @property
    def num_batches(self) -> int:
        return self._num_batches

    @property
    def empty(self) -> bool:
        return not self._count

    @property
    def newest(self) -> np.ndarray:
        """The latest observation of each game, `(games, ...)`."""
        return self._observations[self._row]

    def begin(self, observations: np.ndarray) -> None:
        """Takes the first observations `(games, ...)`."""
        self._write(observations, np.zeros(len(observations), bool))

    def add(
        self, actions: np.ndarray, rewards: np.ndarray, observations: np.ndarray, final: np.ndarray
    ) -> None:
        """Takes a step of each game, all `(games, ...)`.

        Args:
            actions: taken in the observations before; -1 where the step led from the end of an
                episode to the beginning of the next.
            rewards: for them.
            observations: after them.
            final: where the game ended there, and was not merely broken off.
        """
        row = self._row
        self._actions[row] = actions
        self._rewards[row] = rewards
        self._write(observations, final)

    def draw(self) -> None:
        """Draws the batches of an epoch and computes their targets."""
        known = np.argwhere(self._actions >= 0)
        if not len(known):
            return
        chosen = known[np.random.randint(len(known), size=self.num_batches * self.batch_size)]
        returns, factors, ends = self.returns(chosen)
        if self.values is None:
            raise ValueError("`values` must be a function of observations before `fit` is called.")
        targets = returns + factors * self.values(self._at(self._observations, ends))
        y = np.stack([self._at(self._actions, chosen), targets], axis=1).astype(np.float32)
        self._drawn = self._at(self._observations, chosen), y

    def returns(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns what follows on steps at places `(row, game)`, `(B, 2)`.

        These are the returns of up to n steps `(B,)`, the places `(B, 2)` where those lead, and
        the factor `(B,)` of the value of being there; in the order returns, factors, places.
        """
        places = places.copy()
        total = np.zeros(len(places), np.float64)
        factors = np.ones(len(places), np.float64)
        for _ in range(self.n):
            goes_on = self._at(self._actions, places) >= 0
            total += np.where(goes_on, factors * self._at(self._rewards, places), 0.0)
            factors = np.where(goes_on, factors * self.discount, factors)
            places[:, 0] = (places[:, 0] + goes_on) % len(self._actions)
        return total, np.where(self._at(self._final, places), 0.0, factors), places

    def on_epoch_begin(self) -> None:
        self.draw()

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        if self._drawn is None:  # `fit` looks at a batch before it begins
            shape = self._observations.shape[2:]
            return np.zeros((self.batch_size, *shape), np.float32), np.zeros(
                (self.batch_size, 2), np.float32
            )
        rows = slice(index * self.batch_size, (index + 1) * self.batch_size)
        x, y = self._drawn
        return x[rows], y[rows]

    def get_state(self) -> dict[str, np.ndarray]:
        """Returns what was played, as arrays."""
        rows = min(self._count, len(self._actions))
        return {
            "observations": self._observations[:rows],
            "actions": self._actions[:rows],
            "rewards": self._rewards[:rows],
            "final": self._final[:rows],
            "count": np.array(self._count),
        }

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        """Sets what `get_state` gave."""
        rows = len(state["actions"])
        self._actions[:] = -1
        self._observations[:rows] = state["observations"]
        self._actions[:rows] = state["actions"]
        self._rewards[:rows] = state["rewards"]
        self._final[:rows] = state["final"]
        self._count = int(state["count"])

    @property
    def _row(self) -> int:
        return (self._count - 1) % len(self._actions)

    def _write(self, observations: np.ndarray, final: np.ndarray) -> None:
        self._count += 1
        row = self._row
        self._observations[row] = observations
        self._actions[row] = -1
        self._rewards[row] = 0.0
        self._final[row] = final

    @staticmethod
    def _at(array: np.ndarray, places: np.ndarray) -> Any:
        return array[places[:, 0], places[:, 1]]
