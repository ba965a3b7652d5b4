"""Cart-pole: a pole on a cart is kept upright by pushing the cart to the left or to the right.

The environment is Gymnasium's `CartPole-v1`. Each step is worth 1; an episode ends when the pole
leans by more than 12 degrees or the cart leaves the track, and is broken off after 500 steps.
"""

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
from gymnasium.wrappers import FrameStackObservation, TransformObservation

from zoo.data import Arrays, Source, Splits
from zoo.data.games import watch

NAMES = ("cart position", "cart velocity", "pole angle", "pole velocity")
ACTIONS = ("left", "right")
POSITIONS = [0, 2]  # what is left of an observation without its velocities
STEPS, SECONDS = 500, 0.02  # the longest episode, and how long a step takes
TEST, VALIDATION, TRAIN = 1_000_000, 2_000_000, 3_000_000  # the first seeds of episodes
SOURCE = Source(
    name="CartPole-v1 (Gymnasium)",
    url="https://gymnasium.farama.org/environments/classic_control/cart_pole/",
    license="MIT",
    citation=(
        "Barto, Sutton and Anderson, 1983, Neuronlike adaptive elements that can solve difficult "
        "learning control problems, https://doi.org/10.1109/TSMC.1983.6313077; Towers et al., "
        "2024, Gymnasium, https://arxiv.org/abs/2407.17032"
    ),
)


def make(*, velocities: bool = True, history: int | None = None) -> gymnasium.Env:
    """Returns the environment.

    Args:
        velocities: whether they are observed, or the two positions alone.
        history: how many of the last observations are given, `(history, F)`, the newest last; at
            the beginning of an episode the first is repeated. `None` for the newest, `(F,)`.
    """
    env = gymnasium.make("CartPole-v1", disable_env_checker=True)
    if not velocities:
        space = env.observation_space
        space = gymnasium.spaces.Box(space.low[POSITIONS], space.high[POSITIONS])
        env = TransformObservation(env, lambda observation: observation[POSITIONS], space)
    return env if history is None else FrameStackObservation(env, history, padding_type="reset")


def load(
    make: Callable[[], Any], *, test: int = 100, validation: int = 20, train: int = 20
) -> Splits:
    """Returns episodes: as x their first observations, as y the seeds that they begin with.

    The part to train on is of another kind, since what is learned from is played meanwhile: all
    observations of a few episodes in which half of the actions are random, to standardise by.

    Args:
        make: gives the environment.
        test, validation, train: how many episodes of each.
    """

    def first(seeds: range) -> Arrays:
        return np.stack([make().reset(seed=seed)[0] for seed in seeds]), np.array(seeds)

    rng = np.random.default_rng(0)

    def half_random(observations: np.ndarray) -> np.ndarray:
        explores, drawn = rng.integers(0, 2, (2, len(observations)))
        return np.where(explores, drawn, falling(observations))

    seeds = range(TRAIN, TRAIN + train)
    episodes = [watch(make, half_random, seed) for seed in seeds]
    return Splits(
        train=(np.concatenate(episodes), np.repeat(seeds, [*map(len, episodes)])),
        validation=first(range(VALIDATION, VALIDATION + validation)),
        test=first(range(TEST, TEST + test)),
        class_names=ACTIONS,
        source=SOURCE,
    )


def leaning(observations: np.ndarray) -> np.ndarray:
    """Pushes to the side to which the pole leans."""
    angle, _ = _pole(observations)
    return (angle > 0).astype(int)


def falling(observations: np.ndarray) -> np.ndarray:
    """Pushes to the side to which the pole will lean 0.3 seconds from now, as it moves."""
    angle, velocity = _pole(observations)
    return (angle + 0.3 * velocity > 0).astype(int)


def positions(observations: np.ndarray) -> np.ndarray:
    """Returns the positions of cart and pole now, `(B, 2)`."""
    now = observations if observations.ndim == 2 else observations[:, -1]
    return now[:, POSITIONS] if now.shape[-1] == len(NAMES) else now


def observe(angle: np.ndarray, velocity: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Returns observations `(B, *shape)` of a pole that moved evenly above a cart at rest."""
    rest = np.zeros_like(angle)
    if shape == (len(NAMES),):
        return np.stack([rest, rest, angle, velocity], axis=-1).astype(np.float32)
    ago = SECONDS * np.arange(shape[0])[::-1] if len(shape) == 2 else np.zeros(1)
    past = angle[:, None] - ago * velocity[:, None]  # (B, history)
    return np.stack([np.zeros_like(past), past], -1).reshape(-1, *shape).astype(np.float32)


def _pole(observations: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns angle and velocity of the pole, the latter as far as observations tell it."""
    seen = observations.reshape(len(observations), -1, observations.shape[-1])  # (B, history, F)
    if seen.shape[-1] == len(NAMES):
        return seen[:, -1, 2], seen[:, -1, 3]
    before = seen[:, -2:][:, 0]
    return seen[:, -1, 1], (seen[:, -1, 1] - before[:, 1]) / SECONDS
