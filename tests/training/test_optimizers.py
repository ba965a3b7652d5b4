"""Our optimizers are Keras's in configuration, state and numbers, with another step on PyTorch."""

import keras
import numpy as np
import pytest

import keras_attention as ka
from tests.backend import to_numpy

torch_alone = pytest.mark.only_on("torch")
SHAPES = {"kernel": (7, 5), "bias": (5,), "embedding": (11, 3), "scale": (), "none": (0,)}
ALL = {
    "learning_rate": ka.schedules.warmup_cosine(100, peak=2e-2, warmup_steps=10),
    "weight_decay": 0.1,
    "global_clipnorm": 0.5,
    "use_ema": True,
    "ema_momentum": 0.8,
    "ema_overwrite_frequency": 7,
    "gradient_accumulation_steps": 3,
    "loss_scale_factor": 8.0,
}
SETTINGS = {
    "Adam": ("Adam", {}),
    "Adam, amsgrad": ("Adam", {"amsgrad": True, "learning_rate": 0.01}),
    "Adam, moments": ("Adam", {"beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3}),
    "Adam, decay": ("Adam", {"weight_decay": 0.1, "learning_rate": 0.01}),
    "Adam, norm of each": ("Adam", {"clipnorm": 0.5}),
    "Adam, norm of all": ("Adam", {"global_clipnorm": 0.5}),
    "Adam, norm of all not reached": ("Adam", {"global_clipnorm": 1e3}),
    "Adam, value": ("Adam", {"clipvalue": 0.1}),
    "Adam, average": ("Adam", {"use_ema": True, "ema_overwrite_frequency": 7}),
    "Adam, accumulation": ("Adam", {"gradient_accumulation_steps": 4, "clipvalue": 0.2}),
    "Adam, scale": ("Adam", {"loss_scale_factor": 8.0}),
    "Adam, all": ("Adam", {**ALL, "amsgrad": True}),
    "AdamW": ("AdamW", {}),
    "AdamW, all": ("AdamW", ALL),
    "SGD": ("SGD", {}),
    "SGD, momentum": ("SGD", {"momentum": 0.9}),
    "SGD, nesterov": ("SGD", {"momentum": 0.9, "nesterov": True, "global_clipnorm": 1.0}),
    "SGD, all": ("SGD", {**ALL, "momentum": 0.9}),
}


class Plain(keras.optimizers.Adam):
    """Adam as Keras has it for a backend that it knows no faster way for."""


def variables(dtype="float32"):
    random = np.random.default_rng(0)
    return [
        keras.Variable(random.normal(size=shape), name=name, dtype=dtype)
        for name, shape in SHAPES.items()
    ]


def gradients(step, dtype="float32"):
    random = np.random.default_rng(step)
    return [
        keras.ops.convert_to_tensor(random.normal(size=shape).astype("float32"), dtype)
        for shape in SHAPES.values()
    ]


def trained(optimizer, steps, *, dtype="float32"):
    """The values of variables and of the optimizer after so many steps."""
    weights = variables(dtype)
    if optimizer.weight_decay:
        optimizer.exclude_from_weight_decay(var_names=["bias"], var_list=[weights[3]])
    for step in range(steps):
        optimizer.apply_gradients(zip(gradients(step, dtype), weights, strict=True))
    return {x.path: to_numpy(x) for x in [*weights, *optimizer.variables]}


def assert_same(ours, theirs, **tolerance):
    assert list(ours) == list(theirs)
    for path, expected in theirs.items():
        np.testing.assert_allclose(ours[path], expected, err_msg=path, **tolerance)


@pytest.mark.parametrize("name", ["Adam, all", "AdamW", "SGD, nesterov"])
def test_they_are_keras(name):
    cls, settings = SETTINGS[name]
    ours, theirs = (
        getattr(of, cls)(name="x", **settings) for of in (ka.optimizers, keras.optimizers)
    )
    assert isinstance(ours, getattr(keras.optimizers, cls))
    assert ours.get_config() == theirs.get_config()
    copy = type(ours).from_config(ours.get_config())
    assert type(copy) is type(ours)
    assert_same(trained(copy, 4), trained(theirs, 4), rtol=0, atol=1e-6)
    config = keras.saving.serialize_keras_object(ours)
    assert config["registered_name"] == f"keras_attention>{cls}"
    assert config["module"] == "keras_attention.training.optimizers"


@torch_alone
@pytest.mark.parametrize("name", SETTINGS)
def test_a_hundred_steps(name, monkeypatch):
    assert_a_hundred_steps(name, monkeypatch)


@torch_alone
@pytest.mark.parametrize("name", ["AdamW, all", "AdamW", "SGD, all"])
def test_a_hundred_steps_as_on_a_gpu(name, monkeypatch):
    """All tensors at once, and no number is waited for."""
    monkeypatch.setattr("keras_attention.kernels.optimizers.torch.on_cpu", lambda tensor: False)
    assert_a_hundred_steps(name, monkeypatch)


def assert_a_hundred_steps(name, monkeypatch):
    cls, settings = SETTINGS[name]
    ours, theirs = (
        getattr(of, cls)(name="x", **settings) for of in (ka.optimizers, keras.optimizers)
    )
    monkeypatch.setattr("keras_attention.kernels.optimizers.torch._PIECE", 8)
    monkeypatch.setattr(type(ours), "update_step", None)  # Keras's, of one variable
    assert_same(trained(ours, 100), trained(theirs, 100), rtol=0, atol=1e-6)


@torch_alone
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_other_types_as_keras(dtype):
    """It rounds after each operation."""
    settings = {"name": "x", "learning_rate": 0.01, "beta_2": 0.9, "weight_decay": 0.1}
    both = [
        trained(optimizer(**settings), 5, dtype=dtype) for optimizer in (ka.optimizers.Adam, Plain)
    ]
    assert_same(*both, rtol=0)


@torch_alone
def test_loss_scale_optimizer():
    """Steps that are not finite are left out, and the scale doubles and halves."""
    results = []
    for of in (ka.optimizers, keras.optimizers):
        weights = variables()
        optimizer = keras.optimizers.LossScaleOptimizer(
            of.Adam(0.1, name="x", global_clipnorm=1.0), initial_scale=4.0, dynamic_growth_steps=3,
            name="y",
        )  # fmt: skip
        for step in range(6):
            grads = gradients(step)
            if step == 2:
                grads[0] = grads[0] * float("inf")
            optimizer.apply(grads, weights)
        results.append({x.path: to_numpy(x) for x in [*weights, *optimizer.variables]})
    assert_same(*results, rtol=0, atol=1e-6)


@torch_alone
def test_gradients_stay_as_they_are():
    import torch

    optimizer, weights = ka.optimizers.AdamW(global_clipnorm=1e-3), variables()
    grads = gradients(0)
    before = [g.clone() for g in grads]
    optimizer.apply(grads, weights)
    for gradient, expected in zip(grads, before, strict=True):
        assert torch.equal(gradient, expected)


@torch_alone
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gradients_in_any_order_of_memory(dtype):
    """PyTorch's kernel reads them one after the other, whatever their strides say."""
    import torch

    results = []
    for of in (ka.optimizers, keras.optimizers):
        kernel = keras.Variable(np.zeros((3, 4)), name="kernel", dtype=dtype)
        gradient = torch.arange(12.0).reshape(4, 3).t()
        sparse = torch.eye(3, 4).to_sparse()
        optimizer = of.SGD(0.1, name="x", momentum=0.5), of.Adam(0.1, name="y")
        for each in optimizer:
            for grads in (gradient, sparse, gradient.double()):
                each.apply([grads], [kernel])
        results.append({"kernel": to_numpy(kernel)})
    assert_same(*results, rtol=0, atol=1e-6)


@pytest.mark.filterwarnings("ignore:Gradients do not exist")
def test_without_a_gradient_a_variable_stays():
    optimizer, weights = ka.optimizers.AdamW(0.1, weight_decay=0.5), variables()
    before = [to_numpy(x) for x in weights]
    grads = gradients(0)
    grads[1] = None
    optimizer.apply_gradients(zip(grads, weights, strict=True))
    stays = [np.array_equal(to_numpy(x), old) for x, old in zip(weights, before, strict=True)]
    assert stays == [False, True, False, False, True]  # the last one is empty
    assert int(to_numpy(optimizer.iterations)) == 1


@torch_alone
def test_stateless_apply_changes_nothing():
    stateful, stateless = (ka.optimizers.AdamW(name="x", global_clipnorm=0.1) for _ in range(2))
    weights = variables()
    stateless.exclude_from_weight_decay(var_names=["bias"], var_list=[weights[3]])
    stateless.build(weights)
    values = [x.value.detach().clone() for x in weights]
    state = [x.value.detach().clone() for x in stateless.variables]
    new_values, new_state = stateless.stateless_apply(state, gradients(0), values)
    for value, weight in zip(values, weights, strict=True):
        np.testing.assert_array_equal(to_numpy(value), to_numpy(weight))
    expected = trained(stateful, 1)
    actual = map(to_numpy, [*new_values, *new_state])
    assert_same(dict(zip(expected, actual, strict=True)), expected, rtol=0, atol=1e-6)


@torch_alone
def test_a_compiled_step():
    """Keras's own operations, for the compiler to fuse."""
    import torch

    optimizer, weights = ka.optimizers.AdamW(name="x", global_clipnorm=0.1), variables()
    optimizer.exclude_from_weight_decay(var_names=["bias"], var_list=[weights[3]])
    optimizer.build(weights)
    step = torch.compile(lambda grads: optimizer.apply(grads), backend="eager")
    for number in range(2):
        step(gradients(number))
    actual = {x.path: to_numpy(x) for x in [*weights, *optimizer.variables]}
    expected = trained(ka.optimizers.AdamW(name="x", global_clipnorm=0.1), 2)
    assert_same(actual, expected, rtol=0, atol=1e-6)


@torch_alone
def test_on_the_meta_device():
    """Whatever a step leaves on the CPU fails there."""
    with keras.device("meta"):
        optimizer, weights = ka.optimizers.AdamW(global_clipnorm=0.1), variables()
        for step in range(2):
            optimizer.apply(gradients(step), weights)
    assert all(x.value.is_meta for x in [*weights, *optimizer.variables])


def test_fit_with_frozen_weights():
    """What is frozen stays as it is, and the file goes on where the training stopped."""
    losses = []
    for of in (ka.optimizers, keras.optimizers):
        keras.utils.set_random_seed(0)
        model = keras.Sequential(
            [keras.Input((4,)), keras.layers.Dense(3), keras.layers.Dense(1, name="head")]
        )
        model.layers[0].trainable = False
        frozen = to_numpy(model.layers[0].kernel)
        model.compile(of.AdamW(0.1, global_clipnorm=1.0), "mse")
        x = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")
        losses.append(model.fit(x, x[:, :1], batch_size=8, epochs=4, verbose=0).history["loss"])
        np.testing.assert_array_equal(to_numpy(model.layers[0].kernel), frozen)
    np.testing.assert_allclose(*losses, rtol=1e-5)
