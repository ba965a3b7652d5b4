"""The callback that plays while a Q-network learns."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from zoo.data.games import Game, play
from zoo.tasks.q_learning.networks import Networks, collect_arrays, name_arrays
from zoo.tasks.q_learning.replay import Replay


@dataclass(frozen=True, kw_only=True)
class Exploration:
    """The share of random actions, which falls in a straight line and then stays.

    Attributes:
        start, end: of the line.
        steps: that it takes.
    """

    start: float = 1.0
    end: float = 0.05
    steps: int = 10_000

    def __call__(self, step: int) -> float:
        done = min(1.0, step / self.steps)
        return self.start + done * (self.end - self.start)


class Play(keras.callbacks.Callback):
    """Plays between the epochs of `fit`, greedily but for some random actions, into a replay.

    Each epoch trains on what there is; then the networks' copies are updated, and so many steps
    are played with the new one. Now and then it plays whole episodes greedily; the network that
    is best in these is the model when training ends. The logs get `return`, the mean of the last
    20 episodes that were played to learn, `val_return` and `exploration`.

    All that a training needs beside the model to go on is in `get_state`, so give this callback to
    `keras_attention.callbacks.Checkpoint(state=...)`. NumPy's global random numbers choose
    actions and seeds.

    Args:
        make: gives an environment of `gymnasium`, whose actions are `Discrete`.
        replay: what is played goes there.
        networks: copies of the model that is trained.
        warmup: random steps before the first epoch.
        steps: of each epoch.
        exploration: the share of random actions by the number of steps this far.
        seeds: of the episodes to choose the best network by.
        every: epochs from one such choice to the next.
    """

    def __init__(
        self,
        make: Callable[[], Any],
        replay: Replay,
        networks: Networks,
        *,
        warmup: int,
        steps: int,
        exploration: Exploration,
        seeds: Sequence[int],
        every: int = 1,
    ) -> None:
        super().__init__()
        self.replay = replay
        self.networks = networks
        self._make = make
        self._games = [Game(make()) for _ in range(replay.games)]
        self._choices = int(self._games[0].env.action_space.n)
        self._warmup = warmup
        self._steps = steps
        self._exploration = exploration
        self._seeds = list(seeds)
        self._every = every
        self._step = 0
        self._observations: Any = None
        self._last: deque[float] = deque(maxlen=20)  # returns of episodes
        self._best: list[np.ndarray] = []
        self._best_return = -np.inf
        self._val_return = 0.0
        replay.values = networks.worth

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        if self.replay.empty:
            self._observations = np.stack([game.begin(_seed()) for game in self._games])
            self.replay.begin(self._observations)
            self._play(self._warmup, lambda step: 1.0)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self.networks.update(self.model.get_weights())
        self._play(self._steps, self._exploration)
        if (epoch + 1) % self._every == 0 or not self._best:
            self._choose()
        if logs is not None:
            logs["return"] = float(np.mean(self._last)) if self._last else 0.0
            logs["val_return"] = self._val_return
            logs["exploration"] = self._exploration(self._step)

    def on_train_end(self, logs: dict | None = None) -> None:
        if self._best:
            self.model.set_weights(self._best)

    def get_state(self) -> dict[str, np.ndarray]:
        """Returns the state of replay, networks, games and counters, as arrays."""
        state = {
            f"{name}/{key}": array
            for name, part in self._parts().items()
            for key, array in part.get_state().items()
        }
        return {
            **state,
            **name_arrays("best", self._best),
            "best_return": np.array(self._best_return),
            "val_return": np.array(self._val_return),
            "last": np.array(self._last, np.float64),
            "step": np.array(self._step),
        }

    def set_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Sets what `get_state` gave."""
        for name, part in self._parts().items():
            own = (key for key in state if key.startswith(f"{name}/"))
            part.set_state({key.removeprefix(f"{name}/"): state[key] for key in own})
        self._observations = self.replay.newest.copy()
        self._best = collect_arrays("best", state)
        self._best_return = float(state["best_return"])
        self._val_return = float(state["val_return"])
        self._last.clear()
        self._last.extend(state["last"].tolist())
        self._step = int(state["step"])

    def _parts(self) -> dict[str, Any]:
        """Returns the parts that have a state of their own."""
        games = {f"game_{i}": game for i, game in enumerate(self._games)}
        return {"replay": self.replay, "networks": self.networks, **games}

    def _play(self, steps: int, exploration: Callable[[int], float]) -> None:
        """Plays so many steps, as often as one of all games goes into them."""
        games = self._games
        for _ in range(-(-steps // len(games))):
            explores = np.random.random(len(games)) < exploration(self._step)
            drawn = np.random.randint(self._choices, size=len(games))
            actions = np.where(explores, drawn, self.networks.actions(self._observations))
            rewards, final = np.zeros(len(games)), np.zeros(len(games), bool)
            for i, game in enumerate(games):
                if game.over:
                    self._observations[i], actions[i] = game.begin(_seed()), -1
                    continue
                self._observations[i], rewards[i], final[i] = game.step(actions[i])
                self._step += 1
                if game.over:
                    self._last.append(game.total)
            self.replay.add(actions, rewards, self._observations, final)

    def _choose(self) -> None:
        """Keeps the network if none before was better."""
        returns = play(self._make, self.networks.actions, self._seeds)
        self._val_return = float(returns.mean())
        if self._val_return >= self._best_return:
            self._best_return, self._best = self._val_return, self.networks.weights()


def _seed() -> int:
    return int(np.random.randint(2**31 - 1))
