"""Token pooling: cases for the contract, and each kind in NumPy."""

import numpy as np
import pytest

import keras_attention as ka
from tests.backend import to_numpy
from tests.contracts import Case

REFERENCES = {
    "first": lambda rows: rows[0],
    "last": lambda rows: rows[-1],
    "mean": lambda rows: rows.mean(axis=0),
    "max": lambda rows: rows.max(axis=0),
}
CASES = [
    Case(
        layer=ka.layers.TokenPooling,
        config={"kind": kind},
        inputs={"value": ("T", 8)},
        masks={"mask": "value"},
        rows=None,
        stateless=True,
    )
    for kind in REFERENCES
]
# Padded on the right, on the left, within, not at all, and whole.
MASK = np.array([[1, 1, 1, 0, 0], [0, 0, 1, 1, 1], [0, 1, 0, 1, 0], [1] * 5, [0] * 5], bool)


@pytest.mark.parametrize("kind", REFERENCES)
def test_kinds_over_the_unmasked_tokens(kind):
    x = np.random.default_rng(0).normal(size=(5, 5, 4)).astype("float32") - 3
    expected = [
        REFERENCES[kind](row[there]) if there.any() else np.zeros(4)
        for row, there in zip(x, MASK, strict=True)
    ]
    pooled = ka.layers.TokenPooling(kind)(x, mask=MASK)
    np.testing.assert_allclose(to_numpy(pooled), expected, atol=1e-6)
    expected = [REFERENCES[kind](row) for row in x]
    pooled = ka.layers.TokenPooling(kind)(x)
    np.testing.assert_allclose(to_numpy(pooled), expected, atol=1e-6)


def test_kinds_are_named():
    with pytest.raises(ValueError, match="`kind` must be one of 'first', 'last', 'mean', 'max'"):
        ka.layers.TokenPooling("middle")
