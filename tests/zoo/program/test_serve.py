"""The command `serve`, from its first line to its end by Ctrl+C."""

import json
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

import keras_attention as ka
from tests.zoo.serve.serving import classifier

pytestmark = pytest.mark.runs_on("torch")
ROOT = Path(__file__).parents[3]


def test_a_file_is_served_until_it_is_interrupted(tmp_path):
    folder = tmp_path / "reviews"
    folder.mkdir()
    ka.save_model(classifier(), folder / "model.keras")
    (folder / "model.md").write_text("# reviews")
    process = subprocess.Popen(
        [sys.executable, "-m", "zoo", "serve", str(folder), "--port", "0", "--max-inputs", "1"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    try:
        lines = []
        while not lines or not lines[-1].startswith("Serving"):
            lines.append(process.stdout.readline())
            assert lines[-1], process.stderr.read()
        url = re.search(r"http://127\.0\.0\.1:\d+", lines[-1])[0]
        with urllib.request.urlopen(f"{url}/model", timeout=30) as response:
            about = json.load(response)
        assert (about["name"], about["card"]) == ("reviews", "# reviews")
        assert about["limits"]["inputs"] == 1
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=30)
        assert process.returncode == 0, out + errors
        assert errors == ""
    finally:
        process.kill()
