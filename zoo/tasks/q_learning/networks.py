"""The copies of a Q-network that choose and value actions while it learns."""

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_attention import kernels
from zoo.data.games import Policy


def double_q(choosing: np.ndarray, valuing: np.ndarray) -> np.ndarray:
    """Returns `Q'(s, argmax_a Q(s, a))`, the value of a state in double Q-learning.

    One network chooses the action and another values it, so that noise is not taken for value
    (van Hasselt et al., 2016, https://arxiv.org/abs/1509.06461, equation 4).

    Args:
        choosing, valuing: `(B, A)` values of the actions, Q and Q'.
    """
    best = choosing.argmax(axis=1)
    return valuing[np.arange(len(best)), best]


def values(model: keras.Model) -> Callable[[np.ndarray], np.ndarray]:
    """Returns a function of observations that gives the values of the actions, `(B, A)`.

    It is compiled where the backend compiles, so that a call costs what it computes; of one
    observation `model.predict` takes many times as long. It reads the weights at each call.
    """
    compiled = kernels.compile_with(lambda x: model(x, training=False), model.variables)
    return lambda observations: ops.convert_to_numpy(
        compiled(ops.convert_to_tensor(observations, dtype="float32"))
    )


def greedy(model: keras.Model) -> Policy:
    """Returns the policy that takes the action of the highest value."""
    value = values(model)
    return lambda observations: value(observations).argmax(axis=1)


class Networks:
    """Two copies of a Q-network: the online one and the target, which lags behind it.

    Args:
        model: the network; built, and not changed by this.
        rate: share of the way that the target goes to the online network at an update; 1 copies
            it.
        every: how many updates of the online network there are to one of the target.
    """

    def __init__(self, model: keras.Model, *, rate: float = 1.0, every: int = 1) -> None:
        if not 0 < rate <= 1:
            raise ValueError(f"`rate` must be above 0 and at most 1. Received: rate={rate}")
        self.rate = rate
        self.every = every
        self._updates = 0
        self._online, self._target = (keras.models.clone_model(model) for _ in range(2))
        for copy in (self._online, self._target):
            copy.set_weights(model.get_weights())
        self._values, self._targets = values(self._online), values(self._target)

    def actions(self, observations: np.ndarray) -> np.ndarray:
        """Returns the actions of the highest value, `(B,)`, by the online network."""
        return self._values(observations).argmax(axis=1)

    def worth(self, observations: np.ndarray) -> np.ndarray:
        """Returns the values of states `(B,)`, by double Q-learning."""
        return double_q(self._values(observations), self._targets(observations))

    def update(self, weights: list[np.ndarray]) -> None:
        """Gives the online network these weights, and the target its share every so often."""
        self._online.set_weights(weights)
        self._updates += 1
        if self._updates % self.every == 0:
            self._target.set_weights(
                [
                    self.rate * new + (1 - self.rate) * old
                    for new, old in zip(weights, self._target.get_weights(), strict=True)
                ]
            )

    def weights(self) -> list[np.ndarray]:
        """Returns the weights of the online network."""
        return self._online.get_weights()

    def get_state(self) -> dict[str, Any]:
        """Returns the weights of both, as arrays."""
        return {
            **name_arrays("online", self._online.get_weights()),
            **name_arrays("target", self._target.get_weights()),
            "updates": np.array(self._updates),
        }

    def set_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Sets what `get_state` gave."""
        self._online.set_weights(collect_arrays("online", state))
        self._target.set_weights(collect_arrays("target", state))
        self._updates = int(state["updates"])


def name_arrays(name: str, arrays: list[np.ndarray]) -> dict[str, np.ndarray]:
    """Returns arrays by names that tell their order."""
    return {f"{name}/{i}": array for i, array in enumerate(arrays)}


def collect_arrays(name: str, state: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """Returns the arrays that `name_arrays` named, in their order."""
    count = sum(key.startswith(f"{name}/") for key in state)
    return [state[f"{name}/{i}"] for i in range(count)]
