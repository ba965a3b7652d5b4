"""Trainings that one backend began, saved in the midst, and that another goes on with."""

from functools import partial

import keras_attention as ka
from tests.backend import BACKEND, BACKENDS
from tests.saving.trainings import OPTIMIZERS, POLICIES, AfterEpoch, compiled, losses

STEPS = 20
OF_KERAS = ("Adam", "Nadam", "schedule of ours")  # saved by Keras alone too


def _save(model, folder, name):
    ka.save_model(model, folder / f"{name}.keras")
    if name in OF_KERAS:
        model.save(folder / f"{name}, by Keras.keras")


def save(folder, share):
    """Trains with each `share`-th optimizer or policy; returns the losses of the second half."""
    results = {}
    trainings = {name: (name, "float32") for name in OPTIMIZERS}
    trainings |= {f"Adam, {policy}": ("Adam", policy) for policy in POLICIES}
    first = BACKENDS.index(BACKEND) % share
    for name, (optimizer, policy) in list(trainings.items())[first::share]:
        model = compiled(optimizer, dropout=0.0, policy=policy)
        saves = AfterEpoch(STEPS, partial(_save, folder=folder, name=name))
        results[name] = losses(model, 2 * STEPS, callbacks=[saves])[STEPS:]
        if name in OF_KERAS:
            results[f"{name}, by Keras"] = results[name]
    return results


def read(folders):
    """The losses of going on with what the backend before this one began."""
    folder = folders[BACKENDS.index(BACKEND) - 1]
    return {
        file.stem: losses(ka.load_model(file, resume=True), STEPS)
        for file in sorted(folder.glob("*.keras"))
    }
