"""ReversibleNormalization: cases for the contract, and equations 1 to 3 of the paper in NumPy."""

import numpy as np
import pytest
from keras import ops

import keras_attention as ka
from tests.backend import gradients, to_numpy
from tests.contracts import Case

LAYER = ka.layers.ReversibleNormalization
CASES = [
    Case(
        layer=LAYER,
        config={},
        inputs={"inputs": ("T", 3)},
        masks={"mask": "inputs"},
    ),
    Case(
        layer=LAYER,
        config={"affine": True},
        inputs={"inputs": ("S", 3), "series": ("T", 3)},
        masks={"mask": "inputs", "series_mask": "series"},
    ),
    Case(
        layer=LAYER,
        config={"affine": False},
        inputs={"inputs": ("T", 3)},
        masks={"mask": "inputs"},
        stateless=True,
    ),
]


@pytest.fixture
def series():
    rng = np.random.default_rng(0)
    level = np.array([-40.0, 0.0, 500.0])
    return (level + np.array([1.0, 20.0, 3.0]) * rng.normal(size=(2, 9, 3))).astype("float32")


def learned():
    layer = LAYER()
    layer.build((None, None, 3))
    layer.gamma.assign([2.0, 0.5, -1.0])
    layer.beta.assign([0.1, -0.2, 0.3])
    return layer


def test_normalises_each_channel_of_each_series(series):
    mean, variance = series.mean(axis=1, keepdims=True), series.var(axis=1, keepdims=True)
    expected = (series - mean) / np.sqrt(variance + 1e-5) * [2.0, 0.5, -1.0] + [0.1, -0.2, 0.3]
    np.testing.assert_allclose(to_numpy(learned()(series)), expected, atol=1e-3)


def test_gives_level_and_scale_back(series):
    layer = learned()
    np.testing.assert_allclose(to_numpy(layer(layer(series), series)), series, rtol=1e-4)
    forecast = np.random.default_rng(1).normal(size=(2, 4, 3)).astype("float32")
    mean, variance = series.mean(axis=1, keepdims=True), series.var(axis=1, keepdims=True)
    expected = (forecast - [0.1, -0.2, 0.3]) / [2.0, 0.5, -1.0] * np.sqrt(variance + 1e-5) + mean
    np.testing.assert_allclose(to_numpy(layer(forecast, series)), expected, rtol=1e-4)


def test_a_shifted_and_stretched_series_is_the_same_normalised(series):
    layer = learned()
    moved = series * 3.0 + 7.0
    np.testing.assert_allclose(to_numpy(layer(moved)), to_numpy(layer(series)), atol=2e-3)


def test_statistics_are_of_valid_steps_alone(series):
    mask = np.arange(9)[None] < np.array([[9], [5]])
    output = to_numpy(LAYER()(series, mask=mask))
    cut_out = to_numpy(LAYER()(series[1:, :5]))
    np.testing.assert_allclose(output[1, :5], cut_out[0], atol=1e-4)


def test_statistics_are_not_trained_through(series):
    layer = LAYER(affine=False)
    _, (gradient,), _ = gradients(lambda x: ops.sum(layer(x)[:, 0]), [series])
    np.testing.assert_array_equal(gradient[:, 1:], 0.0)


def test_bad_input_is_explained(series):
    with pytest.raises(ValueError, match=r"`series` must have shape \(B, S, C\) with C="):
        LAYER()(series, series[..., :2])
    with pytest.raises(ValueError, match="`epsilon` must be a positive number"):
        LAYER(epsilon=0.0)
