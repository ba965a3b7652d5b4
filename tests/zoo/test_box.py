"""The trained models that come along: each loads, and answers what a person can check."""

import json
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_attention as ka
import zoo
from keras_attention import inference, prediction
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


def check_spoken_digits(model):
    """A hiss, a vowel and a hiss are a six; a click and a long vowel are a two."""
    rng = np.random.default_rng(0)
    six = [hiss(rng, 0.14, 2500), vowel((400, 1900, 2550), 0.1), np.zeros(480)]
    six = np.concatenate([*six, hiss(rng, 0.16, 2500)])
    two = np.concatenate([2 * hiss(rng, 0.04, 1500), vowel((320, 900), 0.3)])
    noisy = [wave + rng.normal(scale=5e-4, size=len(wave)) for wave in (six, two)]
    assert [answer.label for answer in ka.predict(model, noisy)] == ["six", "two"]


def hiss(rng, seconds, lowest):
    """Noise of high frequencies."""
    size = int(8000 * seconds)
    spectrum = np.fft.rfft(rng.normal(size=size)) * (np.fft.rfftfreq(size, 1 / 8000) > lowest)
    return 0.05 * np.fft.irfft(spectrum, size) * np.sqrt(np.hanning(size))


def vowel(formants, seconds):
    """A voice of 120 Hz whose overtones are strong near the formants, the first above all."""
    time = np.arange(int(8000 * seconds)) / 8000
    tones = 120 * np.arange(1, 32)
    strength = sum(np.exp(-(((tones - f) / 120) ** 2)) / 2**i for i, f in enumerate(formants))
    wave = (strength * np.sin(2 * np.pi * tones * time[:, None])).sum(axis=-1)
    return 0.3 * wave / np.abs(wave).max() * np.sqrt(np.hanning(len(time)))


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
    assert [answer.label for answer in ka.predict(model, falls)] == ["left", "right"]


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


def check_questions(model):
    """About a red disc on a pale ground."""
    rows, columns = np.indices((64, 64))
    disc = (rows - 30) ** 2 + (columns - 36) ** 2 < 13**2
    image = np.where(disc[..., None], (255, 0, 0), (238, 246, 240)).astype("uint8")
    asked = ["what color is the shape?", "what shape is in the image?", "is there a blue shape?"]
    answers = ka.predict(model, prediction.add_image(model, asked, image=image))
    assert [answer.label for answer in answers] == ["red", "circle", "no"]


def check_captions(model):
    """The colours of discs that no emoji has."""
    rows, columns = np.indices((72, 72))
    disc = ((rows - 35.5) ** 2 + (columns - 35.5) ** 2 < 30**2)[..., None]
    colours = {
        "green": (124, 179, 66),
        "yellow": (253, 216, 53),
        "purple": (171, 71, 188),
        "black": (40, 40, 40),
    }
    images = np.stack([np.where(disc, colour, 255) for colour in colours.values()])
    captions = ka.generate(model, images.astype("uint8"), max_new_tokens=6)
    assert [caption.split()[0] for caption in captions] == list(colours)


CHECKS = {
    "audio_fsdd": check_spoken_digits,
    "caption_emoji": check_captions,
    "cartpole": check_pole,
    "gat_cora": check_papers,
    "gpt_shakespeare_char": check_verse,
    "iris": check_flowers,
    "tag_pos": check_tags,
    "text_clinc": check_intents,
    "vit_digits": check_digits,
    "vqa_easy": check_questions,
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
