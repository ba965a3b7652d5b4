"""Scripts, run in this process: another one takes seconds to import a backend."""

import contextlib
import io
import runpy
import sys
from pathlib import Path

import keras
import pytest

ROOT = Path(__file__).parents[2]


def run(script, *arguments):
    """What `python scripts/SCRIPT.py ARGUMENTS` prints; its errors are raised."""
    output = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(output):
        patch.setattr(sys, "argv", [f"scripts/{script}.py", *map(str, arguments)])
        patch.setenv("KERAS_BACKEND", keras.backend.backend())
        runpy.run_path(str(ROOT / "scripts" / f"{script}.py"), run_name="__main__")
    return output.getvalue()
