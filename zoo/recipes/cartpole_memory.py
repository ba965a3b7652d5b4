"""CartPole-v1 without velocities: attention over past observations balances, one cannot.

Data: what is played, as in `cartpole`, but that an observation has the position of the cart and
the angle of the pole alone. Nothing but the network differs between the variants, which have about
as many parameters each.

    export KERAS_BACKEND=jax OMP_NUM_THREADS=1
    python scripts/train.py cartpole_memory --repeats 3
    python scripts/train.py cartpole_memory --variant memoryless --repeats 3
    python scripts/train.py cartpole_memory --variant stacked

Mean return of 100 test episodes, mean ± standard deviation over seeds (JAX); of 500 at most:

| variant    | parameters | return         | by seed             |
|------------|-----------:|----------------|---------------------|
| default    |      3,314 | 468.1 ± 31.0   | 478.1, 426.1, 500.0 |
| memoryless |      3,346 | 41.1 ± 0.6     | 41.9, 41.1, 40.4    |
| stacked    |      3,290 | 500.0 (1 seed) | 500.0               |

So the past tells what is needed, and attention finds it. A plain network that sees the same past
side by side finds it as well, here better: it is memory that is needed, not attention. On the same
episodes pushing at random has 21.6, pushing to where the pole leans, which is all that one
observation says, 42.6, and to where it will lean in 0.3 seconds, by the last two, 500.0.

Seed 1 is a lesson in choosing: its best network had 490.6 in the 20 episodes of validation and
426.1 in the 100 of the test. 2 to 14 minutes a seed on a core that a dozen other processes shared.
Keras 3.15.1, jax 0.10.2, gymnasium 1.4.0.
"""

from functools import partial

from zoo.data import cartpole as data
from zoo.harness.experiment import Recipe, sizes
from zoo.models.q_network import VARIANTS as NETWORKS
from zoo.tasks import cartpole

VARIANTS = {
    "default": NETWORKS["history"],
    "memoryless": NETWORKS["memoryless"],
    "stacked": NETWORKS["stacked"],
    "tiny": NETWORKS["tiny_history"],
    "tiny_memoryless": NETWORKS["tiny_memoryless"],
}
NAMES = tuple(data.NAMES[i] for i in data.POSITIONS)


def recipe(*, variant: str = "default", seed: int = 0, smoke: bool = False) -> Recipe:
    """Returns the experiment of this file.

    Args:
        variant: `"default"`, attention over the last 8 observations; without attention
            `"memoryless"`, of one observation, or `"stacked"`, of 8 side by side.
        seed: of the initial weights, the episodes that are played to learn and the exploration.
        smoke: few short epochs, to see that everything runs.
    """
    network = sizes(VARIANTS, variant)
    return cartpole.make_recipe(
        network,
        partial(data.make, velocities=False, history=network.get("history")),
        NAMES,
        smoke=smoke,
        seed=seed,
        name="cartpole_memory",
        variant=variant,
        next_step="look at {folder}/animation.gif, and ask for an action: in a .csv file the last "
        f"observations, a row each below {', '.join(NAMES)}:\n"
        "python scripts/predict.py {folder}/model.keras OBSERVATIONS.csv",
    )
