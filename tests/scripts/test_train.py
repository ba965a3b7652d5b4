import json
import os
import runpy
import shlex
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_attention as ka  # registers the layers of the saved model
from zoo.data import iris as data

ROOT = Path(__file__).parents[2]


@pytest.fixture
def train(monkeypatch):
    """The script, run in this process."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["scripts/train.py", *map(str, arguments)])
        monkeypatch.syspath_prepend(ROOT / "scripts")
        monkeypatch.setenv("KERAS_BACKEND", keras.backend.backend())
        runpy.run_path(str(ROOT / "scripts/train.py"), run_name="__main__")

    return run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder and the output of a short training."""
    folder = tmp_path_factory.mktemp("runs") / "iris"
    settings = ("iris", "--variant", "tiny", "--smoke", "--output", folder)
    result = subprocess.run(
        [sys.executable, ROOT / "scripts/train.py", *settings],
        env={
            **os.environ,
            "KERAS_BACKEND": keras.backend.backend(),
            "PYTHONPATH": str(ROOT),
            "PYTHONIOENCODING": "utf-8",
        },
        capture_output=True,
        encoding="utf-8",
    )
    assert result.returncode == 0, result.stderr
    return folder, result.stdout


def test_leaves_every_file(run):
    folder, _ = run
    assert {path.name for path in folder.iterdir()} == {
        "model.keras",
        "metrics.json",
        "training_curves.png",
        "confusion_matrix.png",
        "attention.png",
    }
    for picture in folder.glob("*.png"):
        assert picture.read_bytes().startswith(b"\x89PNG")


def test_metrics_are_those_of_the_saved_model(run):
    folder, _ = run
    metrics = json.loads((folder / "metrics.json").read_text())
    model = keras.models.load_model(folder / "model.keras")
    splits = data.load(0)
    x, y = splits.test
    logits = keras.ops.convert_to_numpy(model(x))
    assert metrics["test"]["accuracy"] == pytest.approx(np.mean(logits.argmax(-1) == y))
    assert metrics["parameters"] == model.count_params()
    assert metrics["data_sha256"] == splits.sha256()
    assert metrics["backend"] == keras.backend.backend()
    assert metrics["versions"]["keras_attention"] == ka.__version__
    assert metrics["command"].startswith(f"KERAS_BACKEND={metrics['backend']} python ")
    assert {"baselines", "device", "seconds", "seed", "versions"} <= set(metrics)


def test_says_what_happens_and_what_to_do_next(run, capsys):
    folder, output = run
    assert f"Backend: {keras.backend.backend()} (" in output
    assert "16/16" in output  # the progress bar: 2 epochs of 8 steps
    assert f"Next: look at {folder}/attention.png" in output
    setting, _, _, code = shlex.split(output.strip().splitlines()[-1])
    assert setting == f"KERAS_BACKEND={keras.backend.backend()}"
    exec(code, {})
    assert capsys.readouterr().out.strip() in data.load(0).class_names


def test_repeats_measure_the_spread(train, tmp_path, capsys):
    train(*("iris", "--variant", "tiny", "--smoke", "--repeats", 2, "--output", tmp_path))
    study = json.loads((tmp_path / "repeats.json").read_text())
    assert [split["seed"] for split in study["runs"]] == [0, 1]
    scores = [split["model"] for split in study["runs"]]
    assert study["summary"]["model"] == pytest.approx(
        {"mean": np.mean(scores), "std": np.std(scores)}
    )
    assert 0.9 < study["summary"]["logistic regression"]["mean"] <= 1
    assert {"backend", "versions", "parameters", "command"} <= set(study)
    assert "logistic regression" in capsys.readouterr().out


def test_unknown_recipe_lists_the_known_ones(train, capsys):
    with pytest.raises(SystemExit):
        train("rose")
    error = capsys.readouterr().err
    assert "invalid choice: 'rose' (choose from" in error
    assert "iris" in error


def test_help_lists_recipes_and_their_promises(train, capsys):
    with pytest.raises(SystemExit):
        train("--help")
    assert "iris         Iris: 96 %" in capsys.readouterr().out
