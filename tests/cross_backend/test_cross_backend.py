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


@pytest.mark.parametrize("saver", BACKENDS)
def test_outputs_and_gradients_agree(saver, tmp_path):
    """Of the files that one backend saved, on all three."""
    worker(saver, "save", tmp_path)
    results = {}
    for backend in BACKENDS:
        out = tmp_path / f"{backend}.pickle"
        worker(backend, "run", tmp_path, out)
        results[backend] = pickle.loads(out.read_bytes())
    for other in BACKENDS[1:]:
        for (name, output, steps), (same_name, found, found_steps) in zip(
            results["jax"], results[other], strict=True
        ):
            assert name == same_name
            np.testing.assert_allclose(found, output, atol=1e-5, err_msg=name)
            assert list(steps) == list(found_steps)
            for path, step in steps.items():
                np.testing.assert_allclose(found_steps[path], step, atol=1e-5, err_msg=name + path)
