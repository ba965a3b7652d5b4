"""Questions about a user's own pictures: answers that are chosen, and answers that are written."""

import json

import numpy as np
import pandas
import pytest
from PIL import Image

import keras_attention as ka
from tests.scripts.running import run as run_script
from zoo import tasks
from zoo.data import Splits, easy_vqa, objects
from zoo.harness import experiment
from zoo.readers import pictures
from zoo.readers.findings import Findings
from zoo.tasks import answers

pytestmark = pytest.mark.runs_on("torch")

SMALL = {"image_size": 16, "epochs": 1, "seed": 1}


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """96 questions about 24 pictures in the folder of the table."""
    folder = tmp_path_factory.mktemp("questions")
    x, y = easy_vqa.sample().train
    rows = []
    for number, (image, text, answer) in enumerate(
        zip(x["image"], x["question_ids"], y, strict=True)
    ):
        name = f"{number // 4}.png"  # as many questions as there are about each
        Image.fromarray(image).save(folder / name)
        rows.append({"image": name, "question": text, "answer": easy_vqa.CLASS_NAMES[answer]})
    pandas.DataFrame(rows).to_json(folder / "questions.jsonl", orient="records", lines=True)
    return folder / "questions.jsonl"


def evaluate(recipe):
    experiment.compile_model(recipe, recipe.model)
    return experiment.evaluate(recipe, recipe.model)


def test_answers_that_are_chosen(table, tmp_path):
    run = tasks.questions(table, answers="classes", **SMALL).fit(tmp_path, watch=False)
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["score"] == "exact_match"
    assert metrics["test"]["exact_match"] <= metrics["test"]["accuracy"]
    assert list(metrics["baselines"]) == [
        "most frequent answer to the question",
        "most frequent answer",
    ]
    for name in ("confusion_matrix", "relevance", "attention", "example", "training_curves"):
        assert (tmp_path / f"{name}.png").stat().st_size > 100, name
    mistakes = pandas.read_csv(tmp_path / "mistakes.csv")
    assert list(mistakes) == ["image", "question", "answer", "predicted", "probability"]
    assert (mistakes["answer"] != mistakes["predicted"]).all()
    known = pandas.read_json(table, lines=True)
    assert len(mistakes.merge(known, on=["image", "question", "answer"])) >= len(mistakes)
    output = run_script(
        "predict", tmp_path / "model.keras", "--image", tmp_path / "example.png", "is it red?"
    )
    assert any(f" {name} " in output for name in run.recipe.data.class_names)


def test_answers_that_are_written(table, tmp_path, monkeypatch):
    """Streamed, and all that a training leaves."""
    monkeypatch.setattr(pictures, "MEMORY", 0)
    run = tasks.questions(table, answers="text", **SMALL).fit(tmp_path, watch=False)
    assert run.recipe.stream
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert {"loss", "accuracy", "bleu", "exact_match"} <= set(metrics["test"])
    for name in ("attention", "example", "training_curves"):
        assert (tmp_path / f"{name}.png").stat().st_size > 100, name
    mistakes = pandas.read_csv(tmp_path / "mistakes.csv", keep_default_na=False)
    assert list(mistakes) == ["image", "question", "answer", "written"]
    output = run_script(
        "predict", tmp_path / "model.keras", "--image", tmp_path / "example.png", "is it red?"
    )
    model = ka.load_model(tmp_path / "model.keras")
    given = {"image": tmp_path / "example.png", "question_ids": "is it red?"}
    written = ka.generate(model, given, max_new_tokens=100)
    assert output.splitlines()[-1] == f"  {written}".rstrip() or output.endswith(f"  {written}\n")


@pytest.mark.parametrize("kind", ["classes", "text"])
def test_streamed_pictures_are_the_same(table, monkeypatch, kind):
    metrics = []
    for memory in (pictures.MEMORY, 0):
        monkeypatch.setattr(pictures, "MEMORY", memory)
        recipe = tasks.questions(table, answers=kind, **SMALL, batch_size=4).recipe
        assert recipe.stream == (memory == 0)
        metrics.append(evaluate(recipe))
    assert metrics[0] == pytest.approx(metrics[1], abs=1e-5)


def test_few_answers_are_classes_and_many_are_texts():
    few = ["yes"] * 40 + ["no"] * 30 + ["red"] * 25 + [f"rare {i}" for i in range(5)]
    findings = Findings()
    assert answers.choose_classes(few, "auto", findings) == ("yes", "no", "red")
    assert "8 that differ; the 3 most frequent ones answer 95.0%" in str(findings)
    assert "chooses one of these answers (--answers text" in str(findings)
    assert answers.choose_classes(few, "text", Findings()) == ()
    many = [f"the {i} of {i % 7}" for i in range(60)] + ["yes"] * 40
    assert answers.choose_classes(many, "auto", findings) == ()
    assert "The model writes its answers" in str(findings)
    assert answers.choose_classes(many, "classes", Findings())[0] == "yes"
    with pytest.raises(ValueError, match=r"one answer alone.*'yes' in all 3 rows to train on"):
        answers.choose_classes(["yes"] * 3, "auto", Findings())


def test_an_answer_that_is_no_class_counts_as_wrong(table):
    frame = pandas.read_json(table, lines=True)
    tested = frame[frame["image"].isin(["0.png", "1.png"])].reset_index(drop=True)
    tested.loc[[0, 1], "answer"] = "purple"
    run = tasks.questions(frame, images=table.parent, test=tested, answers="classes", **SMALL)
    metrics = evaluate(run.recipe)
    assert metrics["exact_match"] == pytest.approx(metrics["accuracy"] * 6 / 8)
    assert "2 of 8 questions of the part to test have another answer" in str(run.findings)


def test_answers_that_differ_in_case_are_one(table):
    frame = pandas.read_json(table, lines=True)
    frame.loc[frame.index[::3], "answer"] = frame["answer"][::3].str.upper()
    run = tasks.questions(frame, images=table.parent, answers="classes", **SMALL)
    names = run.recipe.data.class_names
    assert len({name.lower() for name in names}) == len(names)
    assert "in case alone: they are one" in str(run.findings)


def test_the_most_frequent_answer_to_a_question():
    """As pandas counts."""
    rng = np.random.default_rng(0)
    parts = [
        ({"question_ids": objects(rng.choice(list("abcd"), size))}, rng.integers(0, 3, size))
        for size in (60, 30)
    ]
    frames = [pandas.DataFrame({"q": x["question_ids"], "a": y}) for x, y in parts]
    best = frames[0].groupby("q")["a"].agg(lambda each: each.value_counts().idxmax())
    raw = Splits(train=parts[0], test=parts[1])
    assert answers.by_question(raw) == pytest.approx(
        (frames[1]["q"].map(best) == frames[1]["a"]).mean()
    )
    top = frames[0]["a"].value_counts().idxmax()
    assert answers.always_the_same(raw) == pytest.approx((frames[1]["a"] == top).mean())


def test_what_does_not_fit_is_named(table):
    frame = pandas.read_json(table, lines=True)
    with pytest.raises(ValueError, match="Pass `images`, the folder of the pictures"):
        tasks.questions(frame)
    with pytest.raises(ValueError, match="`answers` must be 'auto', 'classes' or 'text'"):
        tasks.questions(table, answers="words")
    with pytest.raises(ValueError, match="`images` must be a folder of pictures"):
        tasks.questions(table, images=table)
