"""The same file gives the same outputs and gradients on every backend, whoever saved it."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

BACKENDS = ("jax", "tensorflow", "torch")
ROOT = Path(__file__).parents[2]


def worker(backend, *arguments):
    run = subprocess.run(
        [sys.executable, "-m", "tests.cross_backend.worker", *map(str, arguments)],
        env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert run.returncode == 0, run.stderr


@pytest.fixture(scope="module", params=BACKENDS)
def results(request, tmp_path_factory):
    """What each backend makes of the files that one backend saved."""
    folder = tmp_path_factory.mktemp(request.param)
    worker(request.param, "save", folder)
    for backend in BACKENDS:
        worker(backend, "run", folder, folder / f"{backend}.pickle")
    return {b: pickle.loads((folder / f"{b}.pickle").read_bytes()) for b in BACKENDS}


@pytest.mark.parametrize("other", BACKENDS[1:])
def test_outputs_and_gradients_agree(results, other):
    for (name, output, steps), (same_name, found, found_steps) in zip(
        results["jax"], results[other], strict=True
    ):
        assert name == same_name
        np.testing.assert_allclose(found, output, atol=1e-5, err_msg=name)
        assert list(steps) == list(found_steps)
        for path, step in steps.items():
            np.testing.assert_allclose(found_steps[path], step, atol=1e-5, err_msg=name + path)
