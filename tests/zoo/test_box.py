"""The trained models that come along: each loads, and answers what a person can check."""

import json
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_attention as ka
import zoo
from keras_attention import inference
from keras_attention.saving import RefusedFileError
from zoo import box
from zoo.data import digits, iris

PAGE = Path(__file__).parents[2] / "docs" / "models.md"
on_torch = pytest.mark.runs_on("torch")


def check_digits(model):
    """Of forty that it has not learned from."""
    images, labels = digits.load().test
    answers = ka.predict(model, images[:40])
    right = [answer.label == str(y) for answer, y in zip(answers, labels[:40], strict=True)]
    assert sum(right) >= 38


def check_spoken_digit(model):
    """How loud it is tells nothing."""
    seconds = np.arange(4000) / 8000
    wave = np.sin(2 * np.pi * (300 + 400 * seconds) * seconds)
    loud, quiet = ka.predict(model, [0.8 * wave, 0.2 * wave])
    assert loud.label == quiet.label
    assert loud.label in map(str, range(10))
    assert loud.probability == pytest.approx(quiet.probability, abs=0.02)


def check_intents(model):
    answers = ka.predict(model, ["what is my balance", "set a timer for ten minutes"])
    assert [answer.label for answer in answers] == ["balance", "timer"]


def check_tags(model):
    (answer,) = ka.predict(model, [["She", "quickly", "reads", "three", "books", "."]])
    tags = [tag.label for _, tag in answer]
    assert tags == ["PRON", "ADV", "VERB", "NUM", "NOUN", "PUNCT"]


def check_flowers(model):
    """Of thirty that it has not learned from."""
    splits = iris.load(seed=0)
    flowers, labels = splits.test
    answers = [answer.label for answer in ka.predict(model, flowers)]
    assert sum(np.equal(answers, np.array(splits.class_names)[labels])) >= 28


def check_pole(model):
    """The cart goes where the pole falls."""
    falls = np.array([[0, 0, -0.1, -0.6], [0, 0, 0.1, 0.6]])
    assert [answer.label for answer in ka.predict(model, falls)] == ["push left", "push right"]


def check_papers(model):
    """Papers keep their classes when they are numbered in another way."""
    words = np.random.default_rng(0).random((1, 3, 1433)) < 0.02
    cites = np.array([[[0, 1], [1, 0], [1, 2], [2, 1]]], "int32")
    (papers,) = ka.predict(model, {"features": words.astype("float32"), "edges": cites})
    order = np.array([2, 0, 1])
    moved = {"features": words[:, order].astype("float32"), "edges": np.argsort(order)[cites]}
    moved["edges"] = moved["edges"].astype("int32")
    (again,) = ka.predict(model, moved)
    assert len({paper.probability for paper in papers}) == 3
    for new, old in enumerate(order):
        assert again[new].label == papers[old].label
        assert again[new].probability == pytest.approx(papers[old].probability, rel=1e-4)


def check_verse(model):
    """Words of the plays are likelier than their letters from the end to the beginning."""
    text = "To be, or not to be: that is the question"
    ids = ka.encode(model, [text, text[::-1]])
    logits = inference.outputs(model, ids[:, :-1], batch_size=2)
    forwards, backwards = keras.ops.convert_to_numpy(
        keras.losses.sparse_categorical_crossentropy(ids[:, 1:], logits, from_logits=True)
    ).mean(axis=-1)
    assert forwards < 2.5 < 3.5 < backwards


CHECKS = {
    "audio_fsdd": check_spoken_digit,
    "cartpole": check_pole,
    "gat_cora": check_papers,
    "gpt_shakespeare_char": check_verse,
    "iris": check_flowers,
    "tag_pos": check_tags,
    "text_clinc": check_intents,
    "vit_digits": check_digits,
}


@pytest.mark.parametrize("name", box.names())
def test_answers_what_a_person_can_check(name):
    CHECKS[name](zoo.load(name))


@on_torch
def test_all_fit_in_the_wheel():
    files = [path for name in box.names() for path in (box.FOLDER / name).iterdir()]
    assert sum(path.stat().st_size for path in files) < 15e6
    known = {"metrics.json", *(f"{name}{end}" for name in box.names() for end in (".keras", ".md"))}
    assert {path.name for path in files} == known


@on_torch
@pytest.mark.parametrize("name", box.names())
def test_the_record_is_that_of_the_file(name):
    model = box.describe(name)
    assert ka.saving.digest(model.path) == model.sha256
    assert model.path.stat().st_size == model.size
    card = model.path.with_suffix(".md").read_text(encoding="utf-8")
    for said in (model.sha256, f'license: "{model.license}"', model.metrics["data"]["url"]):
        assert said in card
    for title in ("Task", "Data", "Metrics", "How to load", "Versions", "SHA-256"):
        assert f"\n## {title}\n" in card
    assert f"{model.test[model.score]:.6g}" in card
    assert "/tmp/" not in card + json.dumps(dict(model.metrics))


@on_torch
@pytest.mark.parametrize("name", box.names())
def test_the_score_is_that_of_the_training_on_every_backend(name):
    model = box.describe(name)
    assert set(model.by_backend) == {"jax", "tensorflow", "torch"}
    trained = model.metrics["test_when_trained"][model.score]
    for backend, value in model.by_backend.items():
        assert value == pytest.approx(trained, rel=2e-3), backend


@on_torch
def test_the_page_has_the_table():
    assert f"<!-- table -->\n\n{box.table()}\n\n<!--" in PAGE.read_text(encoding="utf-8")


@on_torch
def test_a_near_name_is_suggested():
    with pytest.raises(FileNotFoundError, match=r"no file 'txt_clinc', and .* mean text_clinc"):
        zoo.load("txt_clinc")
    with pytest.raises(FileNotFoundError, match=r"There are audio_fsdd, .*, vit_digits"):
        zoo.load("/nowhere")
    with pytest.raises(ValueError, match="'irs' comes along: did you mean iris"):
        box.describe("irs")


@on_torch
def test_files_and_folders_are_loaded_too(tmp_path, monkeypatch):
    """A name of the box is one, unless the path says that it is a file."""
    monkeypatch.chdir(tmp_path)
    Path("iris").mkdir()
    shutil.copy(box.describe("iris").path, "iris/model.keras")
    assert box.find("iris") == box.describe("iris").path
    assert box.find("./iris") == box.find(Path("iris")) == Path("iris/model.keras")
    assert box.find("hf://user/name") == "hf://user/name"
    for source in ("./iris", "iris/model.keras"):
        check_flowers(zoo.load(source))
    ka.save_model(zoo.load("iris"), "members")
    assert box.find("members") == Path("members")


@on_torch
def test_a_changed_file_is_refused(tmp_path, monkeypatch):
    shutil.copytree(box.FOLDER / "iris", tmp_path / "iris")
    monkeypatch.setattr(box, "FOLDER", tmp_path)
    check_flowers(zoo.load("iris"))
    ka.save_model(zoo.load("iris"), tmp_path / "iris" / "iris.keras")
    with pytest.raises(RefusedFileError, match="SHA-256"):
        zoo.load("iris")
