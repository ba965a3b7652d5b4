"""One backend's part of the cross-backend test, in a process of its own.

`python -m tests.cross_backend.worker save FOLDER` writes a model of every case of the layers'
contract, and every model of the zoo; `... run OUT FOLDER...` loads those of several folders and
records their outputs and, of layers, what one step of SGD changes. Of a layer's further
configurations it is the outputs alone, from the first folder.
"""

import pickle
import sys
from pathlib import Path

import keras
import numpy as np

from tests.backend import to_numpy
from tests.contracts import first, functional
from tests.layers import test_contract
from tests.zoo.cases import MODELS, cases_of
from tests.zoo.contracts import call

ZOO = [(f"{name}-{i}", case) for name in MODELS for i, case in enumerate(cases_of(name))]
CASES = [case for case in test_contract.CASES if case.branch is None]  # the same everywhere


def save(folder):
    for number, case in enumerate(CASES):
        model = functional(case, case.make(), masks=case.masks)
        if model.trainable_variables:
            model.compile(keras.optimizers.SGD(1.0), "mse")
        model.save(folder / f"{number}.keras")
    for name, case in ZOO:
        case.make().save(folder / f"{name}.keras")


def run(folders):
    """Outputs of each folder's model by its name, and by weight what a step changes in the last."""
    results = {}
    for number, case in enumerate(CASES):
        data = case.data()
        given = {**data, **case.padding(data)}
        outputs, steps = [], {}
        first_of_layer = test_contract.FIRST[case.layer] is case
        for folder in folders if first_of_layer else folders[:1]:
            model = keras.saving.load_model(folder / f"{number}.keras", compile=False)
            outputs.append(to_numpy(first(model(given))))
        if model.trainable_variables and first_of_layer:
            before = [to_numpy(v) for v in model.trainable_variables]
            model.compile(keras.optimizers.SGD(1.0), "mse")
            model.train_on_batch(given, np.ones_like(outputs[-1]))
            steps = {
                v.path: to_numpy(v) - old
                for v, old in zip(model.trainable_variables, before, strict=True)
            }
        results[f"{case.name} {number}"] = outputs, steps
    for name, case in ZOO:
        model, *others = (
            keras.saving.load_model(folder / f"{name}.keras", compile=False) for folder in folders
        )
        outputs = [call(model, case.data())]
        for other in others:  # the same model, which is compiled once
            assert other.get_config() == model.get_config()
            model.set_weights(other.get_weights())
            outputs.append(call(model, case.data()))
        results[name] = outputs, {}
    return results


if __name__ == "__main__":
    command, *paths = sys.argv[1:]
    if command == "save":
        save(Path(paths[0]))
    else:
        out, *folders = map(Path, paths)
        out.write_bytes(pickle.dumps(run(folders)))
