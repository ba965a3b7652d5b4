"""One backend's part of the test of resuming, in a process of its own and with no other backend.

`python -m tests.cross_backend.trainer train FOLDER OUT SHARE` trains with each SHARE-th optimizer
or policy, beginning with another one on each backend, saves in the midst and goes on; `... resume
FOLDER OUT` goes on from those files. Both write the losses of the second half.
"""

import json
import os
import sys
from functools import partial
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path

OTHERS = {"jax", "tensorflow", "torch"} - {os.environ["KERAS_BACKEND"]}


class NotInstalled(MetaPathFinder, Loader):
    """The backends that are not in use cannot be imported."""

    def find_spec(self, name, path=None, target=None):
        return ModuleSpec(name, self) if name in OTHERS else None

    def exec_module(self, module):
        raise ModuleNotFoundError(f"No module named {module.__name__!r}", name=module.__name__)


sys.meta_path.insert(0, NotInstalled())

import keras_attention as ka  # noqa: E402
from tests.backend import BACKEND, BACKENDS  # noqa: E402
from tests.saving.trainings import (  # noqa: E402
    OPTIMIZERS,
    POLICIES,
    AfterEpoch,
    compiled,
    losses,
)

STEPS = 20
OF_KERAS = ("Adam", "Nadam", "schedule of ours")  # saved by Keras alone too


def save(model, folder, name):
    ka.save_model(model, folder / f"{name}.keras")
    if name in OF_KERAS:
        model.save(folder / f"{name}, by Keras.keras")


def train(folder, share):
    results = {}
    trainings = {name: (name, "float32") for name in OPTIMIZERS}
    trainings |= {f"Adam, {policy}": ("Adam", policy) for policy in POLICIES}
    first = BACKENDS.index(BACKEND) % share
    for name, (optimizer, policy) in list(trainings.items())[first::share]:
        model = compiled(optimizer, dropout=0.0, policy=policy)
        saves = AfterEpoch(STEPS, partial(save, folder=folder, name=name))
        results[name] = losses(model, 2 * STEPS, callbacks=[saves])[STEPS:]
        if name in OF_KERAS:
            results[f"{name}, by Keras"] = results[name]
    return results


def resume(folder):
    return {
        file.stem: losses(ka.load_model(file, resume=True), STEPS)
        for file in sorted(folder.glob("*.keras"))
    }


if __name__ == "__main__":
    command, folder, out, *share = sys.argv[1:]
    results = {"train": train, "resume": resume}[command](Path(folder), *map(int, share))
    Path(out).write_text(json.dumps(results))
