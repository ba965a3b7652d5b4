"""Explanations of the same file are the same numbers on every backend."""

import numpy as np

from tests.cross_backend.explanations import METHODS, MODELS
from tests.cross_backend.test_cross_backend import BACKENDS, run_on


def test_all_backends_explain_alike(tmp_path):
    run_on("torch", "explanations", "save", tmp_path)
    found = {}
    for backend in BACKENDS:
        out = tmp_path / f"{backend}.npz"
        run_on(backend, "explanations", "explain", tmp_path, out)
        with np.load(out) as file:
            found[backend] = dict(file)
    names = [f"{model}/{method.__name__}" for model in MODELS for method in METHODS]
    for backend in BACKENDS:
        assert list(found[backend]) == names
        for name, expected in found["torch"].items():
            what = f"{name} on {backend}"
            assert np.isfinite(expected).all(), what
            assert np.abs(expected).max() > 1e-4, what
            np.testing.assert_allclose(found[backend][name], expected, atol=1e-5, err_msg=what)
