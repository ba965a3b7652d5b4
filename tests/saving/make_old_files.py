"""Saves every model of the zoo, every public layer and a checkpoint, with their numbers.

`test_old_files` runs this program with the code of an earlier commit, and `read_old_files` reads
with today's code what it leaves:

    layers/X-0.keras       the layer X as the first case of its contract has it; more on PyTorch
    layers/X-0.npz         inputs and the output
    models/X.keras         a model of the zoo, compiled and trained for a step
    models/X.npz           inputs, the output, the target, and what the next step makes of it
    models/X.safetensors   the same weights
    models/X-frozen.keras  the same model with a part of its layers frozen
    checkpoints/           of a training that was stopped in its second epoch
    checkpoints.npz        its data, and the weights of the training that was not stopped

    PYTHONPATH=EARLIER_CODE KERAS_BACKEND=torch python -P make_old_files.py FOLDER
"""

import importlib
import inspect
import sys
from pathlib import Path

import keras
import numpy as np

import keras_attention as ka
from tests.backend import BACKEND, to_numpy, whole

LOSSES = {"transformer": "SmoothedCrossentropy", "q_network": "ActionHuber"}  # of our own
FROZEN = 3  # every third layer is


def main(folder):
    for name in ("layers", "models"):
        (folder / name).mkdir(parents=True)
    for name in ka.layers.__all__:
        save_layer(getattr(ka.layers, name), folder / "layers")
    cases = of_this_code("tests.zoo.models.cases", "tests.zoo.cases")
    for name in cases.MODELS:
        save_model(cases.cases_of(name)[0], folder / "models" / name)
    save_checkpoints(folder)


def of_this_code(*names):
    """Returns the first of these modules that there is: the files have moved."""
    for name in names:
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError:
            continue
    raise ModuleNotFoundError(names)


def save_layer(layer, folder):
    contracts = of_this_code("tests.contracts")
    (test,) = (Path(contracts.__file__).parent / "layers").rglob(
        f"test_{layer.__module__.rpartition('.')[2]}.py"
    )
    module = ".".join(test.relative_to(Path(contracts.__file__).parents[1]).with_suffix("").parts)
    cases = [case for case in importlib.import_module(module).CASES if case.layer is layer]
    cases = [case for case in cases if not case.branch]  # saves what another case saves
    for number, case in enumerate(cases if BACKEND == "torch" else cases[:1]):
        keras.utils.set_random_seed(0)
        model = contracts.functional(case, case.make())
        path = folder / f"{layer.__name__}-{number}.keras"
        ka.save_model(model, path)
        data = case.data()
        output = to_numpy(contracts.first(whole(model)(data)))
        np.savez(path.with_suffix(".npz"), output=output, **as_inputs(data))
        print("saved", path.name, flush=True)


def as_inputs(data):
    return {f"input {name}": array for name, array in data.items()}


def save_model(case, path):
    changes = {"dropout": 0.1} if "dropout" in inspect.signature(case.model).parameters else {}
    model, data = case.make(**changes), case.data()
    feed = data if len(data) > 1 else next(iter(data.values()))
    shape = to_numpy(whole(model)(feed)).shape
    rng = np.random.default_rng(2)
    if name := LOSSES.get(case.name):
        loss = getattr(of_this_code("keras_attention.training.losses", "zoo.losses"), name)()
    elif case.classes:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    else:
        loss = "mse"
    if case.name == "q_network":  # an action, and what it was worth
        target = np.stack([rng.integers(0, shape[-1], len(feed)), rng.normal(size=len(feed))], 1)
    elif case.classes:
        target = rng.integers(0, shape[-1], shape[:-1])
    else:
        target = rng.normal(size=shape)
    target = target.astype("int32" if case.classes and case.name != "q_network" else "float32")
    # Not Adam, which makes of the gradient of a key's bias, zero but for rounding, a whole step.
    schedule = ka.schedules.InverseSqrtWarmup(2, peak=1e-2)
    model.compile(keras.optimizers.SGD(schedule, momentum=0.9), loss)

    def step():
        settings = {"batch_size": shape[0], "shuffle": False, "verbose": 0}
        return model.fit(feed, target, **settings).history["loss"]

    step()
    ka.save_model(model, path.with_suffix(".keras"))
    ka.saving.to_safetensors(model, path.with_suffix(".safetensors"))
    output = to_numpy(whole(model)(feed))
    arrays = {"output": output, "target": target, "loss": step(), **as_inputs(data)}
    arrays |= {f"weight {number}": weight for number, weight in enumerate(model.get_weights())}
    leaves = [layer for layer in model._flatten_layers() if layer._trainable_variables]
    for layer in leaves[::FROZEN]:
        layer.trainable = False
    frozen = path.with_name(f"{path.name}-frozen.keras")
    ka.save_model(model, frozen)
    arrays["trained"] = trained(ka.load_model(frozen))
    arrays["trained by keras"] = trained(keras.models.clone_model(model))  # by configuration alone
    np.savez(path.with_suffix(".npz"), **arrays)
    whole.cache_clear()
    print("saved", path.name, flush=True)


def trained(model):
    """Returns whether each of the weights is trained."""
    ids = {id(variable) for variable in model.trainable_variables}
    return [id(variable) in ids for variable in model.weights]


def save_checkpoints(folder):
    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if int(self.model.optimizer.iterations) == 6:
                raise KeyboardInterrupt

    rng = np.random.default_rng(0)
    x = rng.normal(size=(16, 5, 8)).astype("float32")
    y = rng.normal(size=(16, 8)).astype("float32")
    for callbacks in ([ka.callbacks.Checkpoint(folder / "checkpoints", every=3), Stop()], []):
        keras.utils.set_random_seed(0)
        tokens = keras.Input((5, 8))
        block = ka.layers.TransformerBlock(2, 16, dropout=0.2, position="rotary")
        model = keras.Model(tokens, ka.layers.AttentionPooling(2)(block(tokens)))
        model.compile(keras.optimizers.SGD(0.01, momentum=0.9), "mse")
        settings = {"batch_size": 4, "epochs": 2, "shuffle": False, "verbose": 0}
        try:
            model.fit(x, y, callbacks=callbacks, **settings)
        except KeyboardInterrupt:
            continue
    weights = {f"weight {number}": weight for number, weight in enumerate(model.get_weights())}
    np.savez(folder / "checkpoints.npz", x=x, y=y, **weights)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
