"""SumNormalization: cases for the contract, and against scikit-learn."""

import numpy as np
from sklearn.preprocessing import normalize

from keras_attention.layers import SumNormalization
from tests.backend import to_numpy
from tests.contracts import Case

CASES = [
    Case(
        layer=SumNormalization,
        config={},
        inputs={"features": ("T", 4)},
        stateless=True,
    )
]


def test_it_is_the_norm_of_magnitudes():
    x = np.random.default_rng(0).normal(size=(6, 5)).astype("float32")
    x[2] = 0
    np.testing.assert_allclose(
        to_numpy(SumNormalization()(x[None]))[0], normalize(x, "l1"), atol=1e-6
    )
