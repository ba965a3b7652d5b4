"""Files that an earlier commit saved are read by today's code, with the same numbers.

`COMMIT` is the last one before the layers and the zoo's models moved into folders. Making and
reading takes up to three minutes, so this runs with `--full`. Files that are made once, of any
commit, can be read after each change:

    mkdir earlier && git archive COMMIT | tar -x -C earlier
    PYTHONPATH=earlier python -P tests/saving/make_old_files.py FOLDER
    python -m tests.saving.read_old_files FOLDER
"""

import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

COMMIT = "86ddd5d"
ROOT = Path(__file__).parents[2]


def run(*command, code):
    """Runs a program of Python with the code in a folder, and returns what it prints."""
    environment = {**os.environ, "PYTHONPATH": str(code)}
    done = subprocess.run(
        [sys.executable, "-P", *command],
        cwd=code,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.full
def test_files_of_an_earlier_commit_are_read(tmp_path):
    archive = subprocess.run(
        ["git", "archive", COMMIT], cwd=ROOT, capture_output=True, check=True
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as file:
        file.extractall(tmp_path / "earlier", filter="data")
    files = tmp_path / "files"
    made = run(ROOT / "tests/saving/make_old_files.py", files, code=tmp_path / "earlier")
    read = run("-m", "tests.saving.read_old_files", files, code=ROOT)
    assert made.count("saved ") == read.count("read ") - 1 >= 50  # the checkpoints are one more
