"""CartPole-v1 without velocities: attention over past observations balances, one cannot.

Data: what is played, as in `cartpole`, but that an observation has the position of the cart and
the angle of the pole alone. Nothing but the network differs between the variants, which have about
as many parameters each.

    export KERAS_BACKEND=jax OMP_NUM_THREADS=1
    python scripts/train.py cartpole_memory --repeats 3
    python scripts/train.py cartpole_memory --variant memoryless --repeats 3

MEMORY_RESULT
"""

from functools import partial

from zoo.data import cartpole as data
from zoo.experiment import Recipe, sizes
from zoo.q_network import VARIANTS as NETWORKS
from zoo.recipes.cartpole import experiment

VARIANTS = {
    "default": NETWORKS["history"],
    "memoryless": NETWORKS["memoryless"],
    "stacked": NETWORKS["stacked"],
    "tiny": NETWORKS["tiny_history"],
    "tiny_memoryless": NETWORKS["tiny_memoryless"],
}
NAMES = tuple(data.NAMES[i] for i in data.POSITIONS)


def recipe(*, variant: str = "default", seed: int = 0, smoke: bool = False) -> Recipe:
    """The experiment of this file.

    Args:
        variant: `"default"`, attention over the last 8 observations; without attention
            `"memoryless"`, of one observation, or `"stacked"`, of 8 side by side.
        seed: of the initial weights, the episodes that are played to learn and the exploration.
        smoke: few short epochs, to see that everything runs.
    """
    network = sizes(VARIANTS, variant)
    return experiment(
        "cartpole_memory",
        network,
        partial(data.make, velocities=False, history=network.get("history")),
        NAMES,
        variant=variant,
        seed=seed,
        smoke=smoke,
        published={},
        next_step="look at {folder}/animation.gif, and ask for an action: in a .csv file the last "
        f"observations, a row each below {', '.join(NAMES)}:\n"
        "python scripts/predict.py {folder}/model.keras OBSERVATIONS.csv",
    )
