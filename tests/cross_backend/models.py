"""Models of the layers' contract and of the zoo: what other backends compute with them."""

import keras
import numpy as np

import keras_attention as ka
from tests.backend import BACKEND, BACKENDS, to_numpy, whole
from tests.contracts import first, make_model
from tests.layers import test_contract
from tests.zoo.models.cases import MODELS, cases_of
from tests.zoo.models.contracts import call

ZOO = {f"{name}-{i}": case for name in MODELS for i, case in enumerate(cases_of(name))}
# A branch is the same model, and not every backend has each.
CASES = [case for case in test_contract.CASES if case.branch is None]
LAYERS = {f"{number} {case.layer.__name__}": case for number, case in enumerate(CASES)}


def adapted(*steps):
    """A model whose kernels have adapters, or are in 8 bits, or both."""
    x = keras.Input((5, 8))
    h = ka.layers.TransformerBlock(2, 16, position="rotary", activation="swiglu")(x)
    model = keras.Model(x, keras.layers.Dense(3, name="head")(h))
    for step in steps:
        if step == "lora":
            ka.enable_lora(model, 2)
        else:
            ka.quantize(model, skip=["head"])
    rng = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign(0.1 * rng.normal(size=variable.shape))
    return model


ADAPTED = {" ".join(steps): steps for steps in (("lora",), ("int8",), ("int8", "lora"))}


def save(folder, share):
    """Writes each `share`-th model, beginning with another one on each backend."""
    mine = slice(BACKENDS.index(BACKEND) % share, None, share)
    for name, case in list(LAYERS.items())[mine]:
        model = make_model(case, case.make(), masks=case.masks)
        if model.trainable_variables:
            model.compile(keras.optimizers.SGD(1.0), "mse")
        model.save(folder / f"{name}.keras")
    for name, case in list(ZOO.items())[mine]:
        case.make().save(folder / f"{name}.keras")
    for name, steps in list(ADAPTED.items())[mine]:
        adapted(*steps).save(folder / f"{name}.keras")


def _load(folders, name):
    """The same model from each folder that has it."""
    files = [folder / f"{name}.keras" for folder in folders]
    return [keras.saving.load_model(file, compile=False) for file in files if file.exists()]


def read(folders):
    return {**_layers(folders), **_zoo(folders), **_adapted(folders)}


def _layers(folders):
    """Outputs of each model by its name, and by weight what a step of SGD changes."""
    results = {}
    for name, case in LAYERS.items():
        data = case.data()
        given = {**data, **case.padding(data)}
        models = _load(folders, name)
        outputs, steps = [to_numpy(first(whole(model)(given))) for model in models], {}
        model = models[-1]
        if model.trainable_variables and test_contract.FIRST[case.layer] is case:
            before = [to_numpy(v) for v in model.trainable_variables]
            model.compile(keras.optimizers.SGD(1.0), "mse")
            model.optimizer.build(model.trainable_variables)  # or TensorFlow traces the step twice
            model.train_on_batch(given, np.ones_like(outputs[-1]))
            steps = {
                v.path: to_numpy(v) - old
                for v, old in zip(model.trainable_variables, before, strict=True)
            }
        results[name] = outputs, steps
    return results


def _adapted(folders):
    """Outputs of each adapted model by its name, and by weight what a step of SGD changes."""
    x = np.random.default_rng(1).normal(size=(2, 5, 8)).astype("float32")
    results = {}
    for name in ADAPTED:
        models = _load(folders, name)
        outputs, model = [to_numpy(model(x)) for model in models], models[-1]
        before = [to_numpy(v) for v in model.trainable_variables]
        model.compile(keras.optimizers.SGD(0.1), "mse")
        model.train_on_batch(x, np.ones_like(outputs[-1]))
        pairs = zip(model.trainable_variables, before, strict=True)
        results[name] = outputs, {v.path: to_numpy(v) - old for v, old in pairs}
    return results


def _zoo(folders):
    """Outputs of each model by its name."""
    results = {}
    for name, case in ZOO.items():
        model, *others = _load(folders, name)
        outputs = [call(model, case.data())]
        for other in others:  # the same model, which is compiled once
            assert other.get_config() == model.get_config()
            model.set_weights(other.get_weights())
            outputs.append(call(model, case.data()))
        results[name] = outputs, {}
    return results
