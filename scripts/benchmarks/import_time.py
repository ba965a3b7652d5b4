"""The cost of importing the package once Keras is imported, in fresh processes."""

import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import keras

from benchmarks.case import Case, Peer, Run
from benchmarks.measure import Elapsed

ROOT = Path(__file__).parents[2]


def cases(*, scale: str) -> Iterator[Case]:
    yield Case(
        name="import keras_attention, Keras being imported",
        ours=partial(_import, "keras_attention", after="keras"),
        peers=[
            Peer(
                name="import keras",
                make=partial(_import, "keras", after="time"),
                reach={"milliseconds": 40},
            )
        ],
        memory=False,
    )


def _import(module: str, *, after: str) -> Run:
    program = (
        f"import time, {after}; start = time.perf_counter(); import {module}; "
        "print(time.perf_counter() - start)"
    )
    environment = {**os.environ, "KERAS_BACKEND": keras.backend.backend()}
    # Without bytecode on the disk, as no installation is, compiling the source is most of the time.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)

    def run() -> Elapsed:
        process = subprocess.run(
            [sys.executable, "-c", program],
            check=True,
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
        )
        return Elapsed(process.stdout.splitlines()[-1])

    return run
