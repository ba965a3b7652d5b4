"""One vector of a sequence: cases for the contract, and what each kind takes."""

import numpy as np
import pytest

import keras_attention as ka
from tests.backend import to_numpy
from tests.contracts import Case

CASES = [
    Case(
        layer=ka.layers.TokenPooling,
        config={"kind": kind},
        inputs={"value": ("T", 8)},
        masks={"mask": "value"},
        rows=None,
        stateless=True,
    )
    for kind in ("mean", "first", "last", "max")
]
OF = {
    "mean": lambda rows: rows.mean(axis=0),
    "max": lambda rows: rows.max(axis=0),
    "first": lambda rows: rows[0],
    "last": lambda rows: rows[-1],
}


@pytest.mark.parametrize("kind", OF)
def test_masked_tokens_are_left_out(kind):
    x = np.random.default_rng(0).normal(size=(3, 5, 4)).astype("float32")
    mask = np.array([[1, 1, 1, 1, 1], [0, 0, 1, 1, 0], [0, 0, 0, 0, 0]], bool)
    pooled = to_numpy(ka.layers.TokenPooling(kind)(x, mask=mask))
    for row in range(2):
        np.testing.assert_allclose(pooled[row], OF[kind](x[row][mask[row]]), atol=1e-6)
    np.testing.assert_array_equal(pooled[2], 0)
