"""Parts of the recipes of cart-pole: how a network learns by playing, and pictures."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

import keras_attention as ka
from keras_attention.explain import plots
from zoo.data import Splits, games
from zoo.data import cartpole as data
from zoo.harness.experiment import Recipe
from zoo.models.q_network import q_network
from zoo.tasks.q_learning import pictures
from zoo.tasks.q_learning.networks import Networks, greedy, values
from zoo.tasks.q_learning.play import Exploration, Play
from zoo.tasks.q_learning.replay import Replay

BATCH_SIZE = 64
GAMES = 8  # that are played at once


def make_recipe(
    network: dict[str, Any],
    make: Callable[[], Any],
    names: tuple[str, ...],
    *,
    smoke: bool,
    seed: int,
    **about: Any,
) -> Recipe:
    """Returns the recipe of a network that learns to keep the pole upright.

    Args:
        network: sizes, for `q_network`.
        make: gives the environment.
        names: of the numbers of an observation.
        smoke: few short epochs, to see that everything runs.
        seed: of the initial weights, the episodes that are played to learn and the exploration.
        about: further attributes of the recipe.
    """
    keras.utils.set_random_seed(seed)
    splits = data.load(make, **(dict(test=GAMES, validation=GAMES, train=2) if smoke else {}))
    observations = splits.train[0].reshape(-1, len(names))
    attends = network.get("attention", "state") is not None
    model = q_network(
        **network,
        names=names,
        mean=observations.mean(axis=0),
        std=observations.std(axis=0),
        scale=10.0,
        action_names=data.ACTIONS,
    )
    epochs, num_batches = (2, 4) if smoke else (150, 64)
    replay = Replay(
        splits.train[0].shape[1:],
        games=GAMES,
        capacity=50_000,
        batch_size=BATCH_SIZE,
        num_batches=num_batches,
        n=5,
        discount=0.99,
    )
    play = Play(
        make,
        replay,
        Networks(model, every=2),
        warmup=64 if smoke else 1000,
        steps=2 * num_batches,
        exploration=Exploration(end=0.05, steps=8000),
        seeds=splits.validation[1],
        every=1 if smoke else 5,
    )
    rate = keras.optimizers.schedules.CosineDecay(1e-3, epochs * num_batches, alpha=0.05)
    return Recipe(
        seed=seed,
        model=model,
        data=splits,
        optimizer=ka.optimizers.Adam(rate, global_clipnorm=10.0),
        loss=ka.training.ActionHuber(),
        metrics=(),
        score="mean_return",
        epochs=epochs,
        batch_size=BATCH_SIZE,
        play=play,
        measure=lambda model, splits: measure(make, greedy(model), splits),
        baselines={
            "random": lambda splits: _mean(make, random_policy(), splits),
            "where the pole leans": lambda splits: _mean(make, data.leaning, splits),
            "where the pole falls": lambda splits: _mean(make, data.falling, splits),
        },
        pictures=lambda model, splits: draw_pictures(
            model, make, splits, names, attends=attends, smoke=smoke
        ),
        task="reinforcement-learning",
        **about,
    )


def random_policy() -> games.Policy:
    """Returns a policy that pushes to either side at random."""
    rng = np.random.default_rng(0)
    return lambda observations: rng.integers(0, len(data.ACTIONS), len(observations))


def measure(make: Callable[[], Any], policy: games.Policy, splits: Splits) -> dict[str, float]:
    """Returns mean, standard deviation and lowest of the returns of the test episodes.

    `kept_up` is the share of the episodes in which the pole stayed up for all of the 500 steps.
    """
    returns = games.play(make, policy, splits.test[1])
    return {
        "mean_return": float(returns.mean()),
        "std_return": float(returns.std()),
        "lowest_return": float(returns.min()),
        "kept_up": float((returns >= data.STEPS).mean()),
    }


def draw_pictures(
    model: keras.Model,
    make: Callable[[], Any],
    splits: Splits,
    names: tuple[str, ...],
    *,
    attends: bool,
    smoke: bool,
) -> dict:
    """Draws what the network values and attends to, and a test episode, animated too."""
    seed = int(splits.test[1][0])
    observations = games.watch(make, greedy(model), seed)[: 5 if smoke else None]
    weights = pictures.capture_attention(model, observations) if attends else None
    labels: Sequence[str] = names
    if observations.ndim == 3:
        labels = [f"{ago} ago" if ago else "now" for ago in reversed(range(observations.shape[1]))]
    title = f"{model.name}, episode of seed {seed}"
    shown = (data.positions(observations), weights, labels)
    figures = {
        "values": pictures.draw_advantage(
            values(model),
            lambda angle, velocity: data.observe(angle, velocity, observations.shape[1:]),
            actions=data.ACTIONS,
            title="Cart in the middle and at rest",
        ),
        "episode": pictures.draw_timeline(*shown, title=title),
        "animation": pictures.animate(*shown, title=title),
    }
    if not attends:
        return figures
    if observations.ndim == 2:
        return {**figures, "attention": plots.column_attention(model, observations, names)}
    *blocks, (path, pooling) = ka.explain.attention_maps(model, observations).items()
    title = f"Attention to past observations, mean over {len(observations)} steps of a test episode"
    return {
        **figures,
        "attention": plots.attention_heads(dict(blocks), labels, title=title),
        "pooling": plots.attention_heads(
            {path: pooling}, ["values"], key_labels=labels, title=title
        ),
    }


def _mean(make: Callable[[], Any], policy: games.Policy, splits: Splits) -> float:
    return measure(make, policy, splits)["mean_return"]
