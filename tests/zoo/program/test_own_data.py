"""A model of a user's own table, from the first command to the last."""

import csv
import json
import os
import re
import shlex
import signal
import sys

import keras
import numpy as np
import pytest

import keras_attention as ka
from zoo.harness import experiment
from zoo.program import main, training
from zoo.readers import splitting

pytestmark = pytest.mark.runs_on("torch")
GOOD, BAD = ("good", "warm", "funny", "lovely"), ("bad", "cold", "dull", "ugly")


def write_table(path, rows, seed=0):
    rng = np.random.default_rng(seed)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["review", "stars"])
        for row in range(rows):
            words = rng.choice((BAD, GOOD)[row % 2], 3)
            writer.writerow([f"a {' '.join(words)} film, number {row}", 1 + 4 * (row % 2)])


def run(line):
    """`keras-attention LINE` in this process, as the console command would run it."""
    words = shlex.split(line)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["/bin/keras-attention", *words])
        patch.setenv("KERAS_BACKEND", keras.backend.backend())
        main(words)


TRAIN = "train text-classification --data reviews.csv --text review --label stars --epochs 3"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    write_table(folder / "reviews.csv", 80)
    write_table(folder / "new.csv", 20, seed=1)
    before = os.getcwd()
    os.chdir(folder)
    yield folder
    os.chdir(before)


@pytest.fixture(scope="module")
def trained(folder):
    """The folder of a training that SIGTERM interrupted, and that was resumed."""

    class Interrupting(experiment.ProgressBar):
        def on_train_batch_end(self, batch, logs=None):
            super().on_train_batch_end(batch, logs)
            if self._done == 3:
                os.kill(os.getpid(), signal.SIGTERM)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(experiment, "ProgressBar", Interrupting)
        with pytest.raises(SystemExit) as end:
            run(TRAIN)
    assert end.value.code == 128 + signal.SIGTERM
    left = folder / "runs" / "text-classification-reviews"
    assert {path.name for path in left.iterdir()} == {"checkpoints"}
    run(f"{TRAIN} --resume")
    return left


def test_a_training_is_interrupted_and_resumed(trained, capsys):
    files = {path.name for path in trained.iterdir()}
    assert {"model.keras", "model.md", "metrics.json", "confusion_matrix.png"} <= files
    metrics = json.loads((trained / "metrics.json").read_text())
    assert metrics["command"].endswith(f" keras-attention {TRAIN} --resume")
    assert metrics["request"]["arguments"]["epochs"] == 3
    assert any("Classes: 1 (40), 5 (40)" in each for each in metrics["findings"])
    with pytest.raises(SystemExit, match="1"):
        run(f"{TRAIN} --seed 9 --resume")


def test_evaluate_gives_what_was_measured(trained, capsys):
    run(f"evaluate {trained}")
    test = json.loads((trained / "metrics.json").read_text())["test"]
    accuracy = f"{test['accuracy']:.4f}"
    said = capsys.readouterr().out
    assert re.search(rf"accuracy +{accuracy} +{accuracy} when it was trained", said)
    assert "Next: keras-attention predict " in said


def test_evaluate_measures_other_data(trained, folder, capsys):
    run(f"evaluate {trained}/model.keras --data new.csv")
    said = capsys.readouterr().out
    with (folder / "new.csv").open() as file:
        rows = list(csv.DictReader(file))
    model = ka.load_model(trained / "model.keras")
    answers = ka.predict(model, [row["review"] for row in rows])
    right = np.mean([a.label == row["stars"] for a, row in zip(answers, rows, strict=True)])
    assert re.search(rf"accuracy +{right:.4f}\n", said)
    assert "when it was trained" not in said


def test_a_table_is_answered(trained, folder, capsys):
    run(f"predict {trained} --data new.csv --column review --output answers.csv")
    assert "answers.csv: 20 rows with their answer and probability." in capsys.readouterr().out
    with (folder / "answers.csv").open() as file:
        rows = list(csv.DictReader(file))
    model = ka.load_model(trained / "model.keras")
    answers = ka.predict(model, [row["review"] for row in rows])
    assert [row["answer"] for row in rows] == [answer.label for answer in answers]
    assert list(rows[0]) == ["review", "stars", "answer", "probability"]
    with pytest.raises(SystemExit, match=r"'revew' for `column`\. Did you mean 'review'"):
        run(f"predict {trained} --data new.csv --column revew")


def test_the_next_command_is_one_that_runs(trained, capsys):
    run(f"evaluate {trained}")
    following = capsys.readouterr().out.strip().splitlines()[-1]
    program, line = following.removeprefix("Next: ").split(" ", 1)
    assert program == "keras-attention"
    run(line)
    assert re.search(r"^  [15] \d+\.\d%$", capsys.readouterr().out, flags=re.MULTILINE)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (TRAIN.replace("--text review", "--text revew"), "no column 'revew' for `text`"),
        (TRAIN.replace("reviews.csv", "latin.csv"), "latin.csv is not UTF-8"),
        (TRAIN.replace("reviews.csv", "one.csv"), "one class alone"),
    ],
)
def test_bad_data_leave_nothing(folder, line, message, capsys):
    (folder / "latin.csv").write_bytes("review,stars\nsch\u00f6n,5\n".encode("latin-1"))
    (folder / "one.csv").write_text("review,stars\n" + "".join(f"film {i},5\n" for i in range(9)))
    with pytest.raises(SystemExit) as end:
        run(f"{line} --output runs/bad")
    assert re.match(r"keras-attention train text-classification: [^\n]*$", str(end.value))
    assert message in str(end.value)
    assert not (folder / "runs" / "bad").exists()


def test_another_models_folder_is_not_taken(trained, folder, capsys):
    (folder / "other").mkdir(exist_ok=True)
    write_table(folder / "other" / "reviews.csv", 10)
    with pytest.raises(SystemExit):
        run(TRAIN.replace("reviews.csv", "other/reviews.csv"))
    said = capsys.readouterr().err
    assert f"has a model of {folder}/reviews.csv. Pass --output with another folder." in said


def test_wrong_answers_are_shown(tmp_path):
    path = tmp_path / "mistakes.csv"
    assert training.format_mistakes(path) == ""
    path.write_text("text,label,predicted\n" + f'"two\nlines",a,b\n{"x" * 99},b,a\n' * 2)
    assert training.format_mistakes(path).splitlines() == [
        f"Wrong answers worth a look are in {path}, such as",
        "  text: two lines, label: a, predicted: b",
        f"  text: {'x' * 57}..., label: b, predicted: a",
        "  text: two lines, label: a, predicted: b",
    ]


def test_braces_in_a_users_text_stay(tmp_path):
    step = "ask {folder}/model.keras '{x} {0}' on {backend}, see {folder}/a.png"
    assert training.format_next_step(step, tmp_path / "a b" / "c.keras", "jax") == (
        f"ask '{tmp_path}/a b/c.keras' '{{x}} {{0}}' on jax, see '{tmp_path}/a b'/a.png"
    )


def test_other_test_data_leave_what_is_trained_on():
    keys, labels = [f"text {i}" for i in range(100)], ["a", "b"] * 50
    train, chosen, _ = splitting.split_rows(keys, labels, seed=3)
    with splitting.keep_parts(3):
        again = splitting.split_rows(keys, labels, seed=3, parts=2)
    assert len(again) == 2
    np.testing.assert_array_equal(again[0], train)
    np.testing.assert_array_equal(again[1], chosen)
    assert len(splitting.split_rows(keys, labels, seed=3, parts=2)[0]) > len(train)
