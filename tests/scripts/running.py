"""Scripts, run in this process: another one takes seconds to import a backend."""

import contextlib
import io
import runpy
import sys
from pathlib import Path

import keras
import pytest

ROOT = Path(__file__).parents[2]


def start(script, *arguments):
    """`python scripts/SCRIPT.py ARGUMENTS`; its errors are raised."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [f"scripts/{script}.py", *map(str, arguments)])
        patch.setenv("KERAS_BACKEND", keras.backend.backend())
        runpy.run_path(str(ROOT / "scripts" / f"{script}.py"), run_name="__main__")


def run(script, *arguments):
    """Runs a script and returns what it prints."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        start(script, *arguments)
    return output.getvalue()
