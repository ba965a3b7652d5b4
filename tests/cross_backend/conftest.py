"""Every backend writes, then every backend reads what all have written."""

import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.backend import BACKENDS

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def share(request):
    """Each backend saves so many models and trainings: every third, or with `--full` all."""
    return 1 if request.config.getoption("full") else len(BACKENDS)


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    return {backend: tmp_path_factory.mktemp(backend) for backend in BACKENDS}


@pytest.fixture(scope="session")
def saved(folders, share):
    """Returns what saving gave, by backend and part."""
    return _on_each("save", folders, lambda backend: (share, folders[backend]))


@pytest.fixture(scope="session")
def results(folders, saved):
    """Returns what reading gave, by backend and part."""
    return _on_each("read", folders, lambda backend: folders.values())


def _on_each(command, folders, arguments):
    def run(backend):
        out = folders[backend] / f"{command}.pickle"
        words = [sys.executable, "-m", "tests.cross_backend.worker", command, out]
        run = subprocess.run(
            [*words, *map(str, arguments(backend))],
            env={**os.environ, "KERAS_BACKEND": backend},
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
        )
        assert run.returncode == 0, f"{backend}: {run.stderr}"
        return backend, pickle.loads(out.read_bytes())

    with ThreadPoolExecutor(max_workers=2) as pool:  # as many as there are cores
        return dict(pool.map(run, BACKENDS))
