"""Explanations of the same file are the same numbers on every backend."""

import numpy as np

from tests.backend import BACKENDS
from tests.cross_backend.explanations import METHODS, MODELS, SAVER


def test_all_backends_explain_alike(results):
    names = [f"{model}/{method.__name__}" for model in MODELS for method in METHODS]
    for backend in BACKENDS:
        scores = results[backend]["explanations"]
        assert list(scores) == names
        for name, expected in results[SAVER]["explanations"].items():
            what = f"{name} on {backend}"
            assert np.isfinite(expected).all(), what
            assert np.abs(expected).max() > 1e-4, what
            np.testing.assert_allclose(scores[name], expected, atol=1e-5, err_msg=what)
