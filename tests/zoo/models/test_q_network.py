"""Q-networks: cases for the contract, and observations to named actions."""

import keras
import numpy as np
import pytest

import keras_attention as ka
from tests.backend import to_numpy
from tests.zoo.models.contracts import ModelCase
from zoo.models.q_network import VARIANTS, q_network

pytestmark = pytest.mark.runs_on("torch")

NAMES = ("position", "speed", "angle")
CONFIG = {"names": NAMES, "action_names": ["left", "right"]}


def numbers(rng, batch):
    return {"numbers": rng.normal(size=(batch, 3)).astype("float32")}


def history(rng, batch):
    return {"history": rng.normal(size=(batch, 3, 3)).astype("float32")}


SETTINGS = {"model": q_network, "config": CONFIG, "classes": False}
CASES = [
    ModelCase(sizes=VARIANTS["tiny"], inputs=numbers, maps=1, **SETTINGS),
    ModelCase(sizes=VARIANTS["tiny_history"], inputs=history, maps=2, **SETTINGS),
    ModelCase(sizes=VARIANTS["tiny_memoryless"], inputs=numbers, maps=0, **SETTINGS),
]
PARAMETERS = {
    "default": 2_952,
    "history": 3_330,
    "memoryless": 4_052,
    "stacked": 3_294,
    "tiny": 632,
    "tiny_history": 714,
    "tiny_memoryless": 152,
}


@pytest.mark.parametrize("case", CASES, ids=["state", "history", "memoryless"])
def test_observations_become_named_actions(case):
    model, x = case.make(), next(iter(case.data().values()))
    values = to_numpy(model(x))
    choices = ka.predict(model, x)
    assert [choice.label for choice in choices] == [
        ("left", "right")[i] for i in values.argmax(axis=1)
    ]
    np.testing.assert_allclose([c.value for c in choices], values.max(axis=1), rtol=1e-5)
    if x.ndim == 2:
        (choice,) = ka.predict(model, [",".join(map(str, x[0]))])
        assert choice.label == choices[0].label


@pytest.mark.parametrize("case", CASES, ids=["state", "history", "memoryless"])
def test_what_is_observed_is_standardised(case):
    """Numbers of another place and spread have the same values; in a copy with these weights, too,
    which is what learning values them by."""
    x = next(iter(case.data().values()))
    mean, std = np.array([1.0, -2.0, 30.0]), np.array([0.5, 2.0, 10.0])
    expected = to_numpy(case.make()(x))
    model = case.make(mean=mean, std=std)
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    for each in (model, copy):
        output = to_numpy(each((mean + std * x).astype("float32")))
        np.testing.assert_allclose(output, expected, atol=1e-4)


def test_the_order_of_the_past_matters():
    model, x = CASES[1].make(), CASES[1].data()["history"]
    assert np.abs(to_numpy(model(x)) - to_numpy(model(x[:, ::-1].copy()))).max() > 1e-3


def test_features_without_actions():
    model = CASES[1].make(num_actions=None)
    assert model.output.shape == (None, VARIANTS["tiny_history"]["hidden_dim"])
    assert not any(isinstance(layer, keras.layers.Dense) for layer in model.layers[-1:])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"attention": "past"}, "`attention` must be 'state', 'history' or None"),
        ({"history": 4}, "Received: history=4, attention='state'"),
        ({"attention": "history"}, "Received: history=None, attention='history'"),
    ],
)
def test_what_does_not_go_together_is_named(settings, message):
    with pytest.raises(ValueError, match=message):
        q_network(**{**VARIANTS["tiny"], **settings}, **CONFIG)
