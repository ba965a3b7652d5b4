"""Text classification of a user's own texts."""

import csv
import json
from dataclasses import replace

import keras
import numpy as np
import pytest

import keras_attention as ka
from zoo import tasks
from zoo.readers.findings import Findings
from zoo.tasks import text

on_torch = pytest.mark.runs_on("torch")


def make_rows(count, words=6, classes=2):
    """Made-up texts with a word that tells the class."""
    rng = np.random.default_rng(0)
    stems = ["bal", "dor", "fim", "gur", "kel", "lun", "mop", "nid", "pez", "rus"]
    rows = []
    for number in range(count):
        label = number % classes
        others = [str(stem) for stem in rng.choice(stems, words)]
        others[rng.integers(words)] = ["bad", "good", "dull"][label]
        rows.append({"text": " ".join(others), "label": f"class {label}"})
    return rows


def write(path, rows):
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return str(path)


@pytest.fixture
def tiny(monkeypatch):
    """Small models, so that tests are cheap."""
    monkeypatch.setitem(
        text.default.VARIANTS, "default", {**text.default.VARIANTS["tiny"], "hidden_dim": 16}
    )


def read(data, test=None, **others):
    findings = Findings()
    settings = {"text": None, "label": None, "seed": 0, **others}
    return text.read(data, test, findings=findings, **settings), findings


def test_a_classifier_of_the_users_own(tmp_path, tiny):
    path = write(tmp_path / "reviews.csv", make_rows(120))
    run = tasks.text_classification(path, epochs=8, batch_size=8)
    run.fit(tmp_path / "run", watch=False)
    assert run.metrics["test"]["accuracy"] > 0.9
    assert {"linear SVM", "logistic regression"} <= set(run.metrics["baselines"])
    assert run.metrics["request"]["arguments"]["data"] == path
    assert run.metrics["findings"][0] == "Data: 120 rows"
    written = {each.name for each in (tmp_path / "run").iterdir()}
    assert {"model.keras", "metrics.json", "model.md", "attention.png"} <= written
    assert {"confusion_matrix.png", "training_curves.png", "history.json"} <= written
    model = ka.load_model(tmp_path / "run" / "model.keras")
    labels = [each.label for each in ka.predict(model, ["bal good dor", "bad fim gur"])]
    assert labels == ["class 1", "class 0"]


@on_torch
def test_it_goes_on_where_it_was(tmp_path, tiny):
    """Two epochs and then the rest end where all at once do."""
    path = write(tmp_path / "reviews.csv", make_rows(60))

    def begin():
        return tasks.text_classification(path, epochs=4, batch_size=8)

    whole = begin().fit(watch=False)

    def stop(epoch, logs):
        if epoch == 2:
            raise KeyboardInterrupt

    run = begin()
    interruption = keras.callbacks.LambdaCallback(on_epoch_begin=stop)
    run.recipe = replace(run.recipe, callbacks=(interruption,))
    with pytest.raises(KeyboardInterrupt):
        run.fit(tmp_path / "run", watch=False)
    with pytest.raises(ValueError, match="interrupted"):
        begin().fit(tmp_path / "run", watch=False)
    resumed = begin().fit(tmp_path / "run", resume=True, watch=False)
    assert resumed.result.history == whole.result.history
    for a, b in zip(resumed.model.get_weights(), whole.model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@on_torch
def test_long_texts_and_many_classes_are_drawn(tmp_path, tiny, monkeypatch):
    monkeypatch.setattr(text, "MOST_CLASSES", 2)
    run = tasks.text_classification(make_rows(60, words=300, classes=3), epochs=1)
    assert run.model.get_layer("tokenizer").max_length == 300
    assert "Lengths: 300 words in the middle" in str(run.findings)
    run.fit(tmp_path, watch=False)
    assert (tmp_path / "confused_pairs.png").exists()
    rows = list(csv.DictReader((tmp_path / "mistakes.csv").read_text().splitlines()))
    assert set(rows[0]) == {"text", "label", "predicted", "probability"}
    assert run.metrics["request"]["arguments"]["data"] == {"object": "list"}


@on_torch
def test_texts_beyond_memory_are_encoded_in_batches(tiny, monkeypatch):
    monkeypatch.setattr(text, "IN_MEMORY", 10)
    run = tasks.text_classification(make_rows(40), epochs=1)
    assert run.recipe.stream
    assert run.fit(watch=False).result.test["accuracy"] >= 0


@on_torch
@pytest.mark.parametrize("spaces", [True, False])
def test_pieces_where_words_are_new(spaces, tiny):
    """Of texts without spaces each is a word of its own."""
    rows = make_rows(60, words=12)
    for row in rows:
        row["text"] = row["text"] if spaces else row["text"].replace(" ", "")
    run = tasks.text_classification(rows)
    assert ("pieces of words" in str(run.findings)) is not spaces


@on_torch
def test_epochs_by_the_amount():
    epochs = [text.choose_epochs(rows, 2) for rows in (100, 5_000, 100_000)]
    assert epochs == sorted(epochs, reverse=True)
    assert epochs[0] <= 40
    assert epochs[-1] >= 3


@on_torch
def test_what_is_found(tmp_path):
    rows = make_rows(40)
    more = [
        {"text": "BAL  " + rows[0]["text"], "label": "class 0"},
        {"text": " ", "label": "class 1"},
    ]
    splits, findings = read(
        [*rows, {**rows[0], "text": rows[0]["text"].upper() + " "}, *more],
        [rows[0], rows[1], {"text": "new good", "label": "class 1"}],
    )
    assert splits.class_names == ("class 0", "class 1")
    assert len(splits.train[0]) + len(splits.validation[0]) == 42
    said = str(findings)
    assert "Data: 43 rows" in said
    assert "1 rows of `data` are left out: their text or class is empty" in said
    assert "rows repeat an earlier one" in said
    assert "2 of 3 rows of the test data are in the training data too" in said
    lines = write(
        tmp_path / "x.csv",
        [{"text": 'two\n"lines"', "label": "a"}] * 2 + [{"text": "é", "label": "b"}] * 2 + rows,
    )
    assert read(lines)[1].facts[0] == "Data: 44 rows"


@on_torch
@pytest.mark.parametrize(
    ("data", "test", "settings", "message"),
    [
        (make_rows(9), None, {"text": "txt"}, "no column 'txt' for `text`. Did you mean 'text'"),
        (make_rows(9, classes=1), None, {}, "`label` has one class alone"),
        (make_rows(9), make_rows(9, classes=3), {}, "no row to train on has: 'class 2'"),
        ([{"text": " ", "label": "a"}], None, {}, "No row of `data` has a text and a class"),
        ([{"words": "a", "label": "a"}], None, {}, "Say which column `text` is. Columns: words"),
        (make_rows(2), None, {}, "2 rows that differ cannot be split into 3 parts"),
    ],
)
def test_bad_data(data, test, settings, message):
    with pytest.raises(ValueError, match=message):
        read(data, test, **settings)


@on_torch
def test_classes_are_what_is_written_without_spaces_around():
    rows = make_rows(40)
    for row in rows[::4]:
        row["label"] = f" {row['label']} "
    rows[0]["label"] = "Class 0"
    splits, findings = read([*rows, *({**row, "text": row["text"] + " x"} for row in rows)])
    assert splits.class_names == ("Class 0", "class 0", "class 1")
    assert "of their own: 'Class 0' and 'class 0'." in str(findings)


@on_torch
def test_a_failed_request_leaves_nothing(tmp_path):
    with pytest.raises(ValueError, match="one class alone"):
        tasks.text_classification(make_rows(9, classes=1)).fit(tmp_path / "run")
    assert not (tmp_path / "run").exists()


@on_torch
def test_the_request_can_be_asked_again(tmp_path, tiny):
    path = write(tmp_path / "x.csv", make_rows(30))
    request = tasks.text_classification(path, epochs=1).recipe.request
    again = json.loads(json.dumps(request))["arguments"]
    assert tasks.text_classification(again.pop("data"), **again).recipe.request == request
