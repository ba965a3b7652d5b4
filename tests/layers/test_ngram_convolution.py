"""N-gram convolutions: cases for the contract, and a window-by-window reference."""

import numpy as np
import pytest

from keras_attention.layers import NGramConvolution
from tests.backend import to_numpy
from tests.contracts import Case

CASES = [
    Case(
        layer=NGramConvolution,
        config={"filters": 6, "kernel_size": size, "activation": activation},
        inputs={"inputs": ("T", 5)},
        masks={"mask": "inputs"},
    )
    for size, activation in ((3, "tanh"), ((1, 2, 3), "gelu"))
]


def test_windows_of_every_size():
    """Equation 2 of Kim, 2014, with zeros where the sequence or the mask ends."""
    layer = NGramConvolution(4, (1, 2, 3))
    rng = np.random.default_rng(0)
    x, mask = rng.normal(size=(2, 5, 3)).astype("float32"), np.ones((2, 5), bool)
    mask[1, 3:] = False
    layer.build(x.shape)
    for variable in layer.weights:
        variable.assign(rng.normal(size=variable.shape))
    *kernels, bias = map(to_numpy, layer.weights)
    expected = np.zeros((2, 5, 12))
    for b, t in zip(*np.nonzero(mask), strict=True):
        for number, (kernel, offsets) in enumerate(
            zip(kernels, ((0,), (0, 1), (-1, 0, 1)), strict=True)
        ):
            window = [
                x[b, t + o] if 0 <= t + o < 5 and mask[b, t + o] else np.zeros(3) for o in offsets
            ]
            own = slice(4 * number, 4 * number + 4)
            expected[b, t, own] = np.maximum(np.concatenate(window) @ kernel + bias[own], 0)
    np.testing.assert_allclose(to_numpy(layer(x, mask=mask)), expected, atol=1e-5)


def test_kernels_of_one_size_begin_apart():
    layer = NGramConvolution(4, (2, 2))
    layer.build((None, None, 3))
    first, second, _ = map(to_numpy, layer.weights)
    assert not np.allclose(first, second)


@pytest.mark.parametrize(
    ("settings", "name"),
    [({"filters": 0}, "filters"), ({"filters": 2, "kernel_size": (2, 0)}, "kernel_size")],
)
def test_sizes_are_positive_integers(settings, name):
    with pytest.raises(ValueError, match=f"`{name}` must be a positive integer"):
        NGramConvolution(**settings)
