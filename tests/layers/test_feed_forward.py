"""The feed-forward network: cases for the contract."""

import numpy as np
import pytest

import keras_attention as ka
from tests.backend import to_numpy
from tests.contracts import Case

CASES = [
    Case(
        layer=ka.layers.FeedForward,
        config={"intermediate_dim": 12, "activation": activation},
        inputs={"inputs": ("T", 8)},
        masks={"mask": "inputs"},
        dropout={"dropout": 0.5},
    )
    for activation in ("gelu", "relu", "swiglu", "geglu", "gelu_tanh", "geglu_tanh", "quick_gelu")
]

X = np.linspace(-4, 4, 25)
# Hendrycks and Gimpel, 2016 (https://arxiv.org/abs/1606.08415), section 2.
TANH = 0.5 * X * (1 + np.tanh(np.sqrt(2 / np.pi) * (X + 0.044715 * X**3)))
SIGMOID = X / (1 + np.exp(-1.702 * X))


@pytest.mark.parametrize(
    ("activation", "expected"),
    [("gelu_tanh", TANH), ("quick_gelu", SIGMOID), ("geglu_tanh", TANH * X)],
)
def test_activations_are_those_of_the_papers(activation, expected):
    """Through kernels that pass each number on."""
    layer = ka.layers.FeedForward(len(X), activation, use_bias=False)
    layer.build((1, 1, len(X)))
    for variable in layer.trainable_variables:
        variable.assign(np.eye(len(X)))
    np.testing.assert_allclose(to_numpy(layer(X[None, None]))[0, 0], expected, atol=1e-5)
