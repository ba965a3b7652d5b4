import json
import os
import re
import shlex
import signal
from functools import partial
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_attention as ka  # registers the layers of the saved model
from tests.scripts import running
from tests.scripts.running import start
from zoo.data import iris as data
from zoo.harness import experiment, reports

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.runs_on("torch")


@pytest.fixture
def train():
    """The script, run in this process."""
    return partial(start, "train")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder and the output of a short training."""
    folder = tmp_path_factory.mktemp("runs") / "iris"
    settings = ("iris", "--variant", "tiny", "--epochs", 2, "--output", folder)
    return folder, running.run("train", *settings)


def test_leaves_every_file(run):
    folder, _ = run
    assert {path.name for path in folder.iterdir()} == {
        "model.keras",
        "model.md",
        "metrics.json",
        "history.json",
        *(f"history-{seed}.json" for seed in range(5)),
        "repeats.json",
        "training_curves.png",
        "confusion_matrix.png",
        "attention.png",
        "example.csv",
        "mistakes.csv",
        "checkpoints",
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


def test_says_what_happens_and_what_to_do_next(run):
    folder, output = run
    assert f"Backend: {keras.backend.backend()} (" in output
    assert "16/16" in output  # the progress bar: 2 epochs of 8 steps
    assert f"Next: look at {folder}/attention.png" in output
    python, script, *words = shlex.split(output.strip().splitlines()[-1])
    assert (python, script) == ("python", "scripts/predict.py")
    (line,) = [line for line in running.run("predict", *words).splitlines() if line[:2] == "  "][:1]
    name, share = line.split()
    assert name in data.load(0).class_names
    assert re.fullmatch(r"\d+\.\d%", share)


def test_one_split_of_iris_says_little_so_there_are_five(run):
    """Their test parts are all flowers, each once."""
    folder, output = run
    study = json.loads((folder / "repeats.json").read_text())
    first = json.loads((folder / "metrics.json").read_text())
    assert [one["seed"] for one in study["runs"]] == [0, 1, 2, 3, 4]
    assert study["runs"][0]["test"] == first["test"]
    assert "mean \u00b1 standard deviation of 5 seeds" in output
    tested = np.concatenate([data.load(seed).test[0] for seed in range(5)])
    every = np.concatenate([part[0] for part in (data.load(0).train, data.load(0).test)])
    np.testing.assert_array_equal(tested[np.lexsort(tested.T)], every[np.lexsort(every.T)])


def test_a_smoke_run_says_that_its_numbers_say_nothing(train, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    train("iris", "--smoke")
    *_, runs, following = capsys.readouterr().out.splitlines()
    assert runs.startswith("It runs. What runs/iris-smoke holds says nothing")
    assert following == "Next: python scripts/train.py iris"
    assert (tmp_path / "runs/iris-smoke/metrics.json").exists()
    assert not (tmp_path / "runs/iris").exists()
    with pytest.raises(SystemExit, match=r"metrics\.json is of a smoke run, which says nothing"):
        start("results", "--add", "runs/iris-smoke/metrics.json")


def test_repeats_measure_the_spread(train, tmp_path, capsys):
    train(*("iris", "--variant", "tiny", "--epochs", 2, "--repeats", 2, "--output", tmp_path))
    study = json.loads((tmp_path / "repeats.json").read_text())
    assert [split["seed"] for split in study["runs"]] == [0, 1]
    scores = [split["model"] for split in study["runs"]]
    assert study["summary"]["model"] == pytest.approx(
        {"mean": np.mean(scores), "std": np.std(scores)}
    )
    assert 0.9 < study["summary"]["logistic regression"]["mean"] <= 1
    assert {"backend", "versions", "parameters", "command"} <= set(study)
    for seed in (0, 1):
        history = json.loads((tmp_path / f"history-{seed}.json").read_text())
        assert (history["name"], history["variant"], history["seed"]) == ("iris", "tiny", seed)
        assert len(history["history"]["loss"]) == 2
    start(
        "curves", *sorted(tmp_path.glob("history-*")), "--metric", "loss", "--output",
        tmp_path / "curves.png",
    )  # fmt: skip
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(SystemExit, match=r"has no val_bleu\. Logs: .*loss"):
        start("curves", tmp_path / "history-0.json", "--metric", "val_bleu")
    assert "logistic regression" in capsys.readouterr().out


SETTINGS = ("iris", "--variant", "tiny", "--epochs", 3, "--seed", 4)


@pytest.fixture
def interrupted(train, tmp_path, capsys):
    """The folder of a run that got Ctrl-C in its third epoch, of 8 batches each."""

    class Interrupting(experiment.ProgressBar):
        def on_train_batch_end(self, batch, logs=None):
            super().on_train_batch_end(batch, logs)
            if self._done == 18:
                os.kill(os.getpid(), signal.SIGINT)

    folder = tmp_path / "interrupted"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(experiment, "ProgressBar", Interrupting)
        with pytest.raises(SystemExit) as end:
            train(*SETTINGS, "--output", folder)
    assert end.value.code == 128 + signal.SIGINT
    said = capsys.readouterr().err
    assert "interrupted by SIGINT. It is saved. To go on: python " in said
    arguments = shlex.join([*map(str, SETTINGS), "--output", str(folder)])
    assert f"scripts/train.py {arguments} --resume\n" in said
    assert {path.name for path in folder.iterdir()} == {"checkpoints"}
    assert (folder / "checkpoints" / "step-00000018.json").exists()
    return folder


def test_resumed_run_leaves_what_an_uninterrupted_one_does(
    train, interrupted, monkeypatch, tmp_path, capsys
):
    histories = []
    draw = reports.charts.training_curves
    monkeypatch.setattr(
        reports.charts,
        "training_curves",
        lambda history, **rest: histories.append(history) or draw(history, **rest),
    )
    train(*SETTINGS, "--resume", "--output", interrupted)
    assert "24/24" in capsys.readouterr().out  # the bar knows of the batches before
    train(*SETTINGS, "--output", tmp_path / "whole")
    assert histories[0] == histories[1]
    assert len(histories[0]["loss"]) == 3
    resumed, whole = (
        json.loads((folder / "metrics.json").read_text())
        for folder in (interrupted, tmp_path / "whole")
    )
    for metrics in (resumed, whole):
        del metrics["seconds"], metrics["command"]
    assert resumed == whole
    models = [keras.models.load_model(f / "model.keras") for f in (interrupted, tmp_path / "whole")]
    for ours, theirs in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_an_interrupted_run_is_not_overwritten(train, interrupted):
    before = {path: path.read_bytes() for path in (interrupted / "checkpoints").iterdir()}
    with pytest.raises(SystemExit, match=r"interrupted. Continue it with --resume, or delete"):
        train(*SETTINGS, "--output", interrupted)
    with pytest.raises(SystemExit, match="of another training: seed=4 there, 5 here"):
        train(*SETTINGS[:-1], 5, "--resume", "--output", interrupted)
    assert {path: path.read_bytes() for path in before} == before


def test_a_complete_run_is_started_over(train, tmp_path):
    for seed in (0, 1):
        train("iris", "--variant", "tiny", "--smoke", "--seed", seed, "--output", tmp_path)
        assert json.loads((tmp_path / "metrics.json").read_text())["seed"] == seed
        assert len(list((tmp_path / "checkpoints").glob("*.keras"))) == 2


def test_repeats_cannot_be_resumed(train, capsys):
    with pytest.raises(SystemExit):
        train("iris", "--repeats", 2, "--resume")
    assert "--repeats leaves no checkpoints" in capsys.readouterr().err


def test_help_lists_recipes_and_their_promises(train, capsys):
    with pytest.raises(SystemExit):
        train("--help")
    assert re.search(r"^  iris +Iris: 96 %", capsys.readouterr().out, flags=re.MULTILINE)
