"""Captioning a user's own pictures: parts, scores, and a training from folder to caption."""

import json

import keras
import numpy as np
import pandas
import pytest
import sacrebleu
from PIL import Image

import keras_attention as ka
from zoo import tasks
from zoo.data import emoji_captions
from zoo.harness import experiment
from zoo.readers import pictures
from zoo.tasks import captions
from zoo.tasks.captions import Gallery

pytestmark = pytest.mark.runs_on("torch")

SMALL = {"image_size": 16, "epochs": 1, "seed": 1}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """40 pictures, every other one with two captions."""
    folder = tmp_path_factory.mktemp("pictures")
    x, y = emoji_captions.sample().train
    rows = []
    for number, (image, text) in enumerate(zip(x["image"][:40], y, strict=False)):
        Image.fromarray(image).save(folder / f"{number}.png")
        rows += [(f"{number}.png", text), (f"{number}.png", f"a {text}")][: 1 + number % 2]
    table = pandas.DataFrame(rows, columns=["file_name", "text"])
    table.to_csv(folder / "captions.tsv", sep="\t", index=False)
    return folder


def test_a_picture_is_in_one_part(folder):
    run = tasks.captioning(folder, **SMALL)
    table = pandas.read_csv(folder / "captions.tsv", sep="\t")
    tokenizer = run.model.get_layer("target_tokenizer")
    parts = [run.recipe.data.train, run.recipe.data.validation, run.recipe.data.test]
    seen = [{image.tobytes() for image in x["image"]} for x, *_ in parts]
    assert list(map(len, seen)) == [32, 4, 4]
    assert len(set.union(*seen)) == 40, "none is in two"
    written = sorted(text for _, y, _ in parts for text in tokenizer.decode(y))
    assert written == sorted(table["text"])
    said = str(run.findings)
    assert "Captions: 60 rows" in said
    assert "split by seed 1, all rows of a picture together" in said
    assert run.recipe.request["arguments"]["data"] == str(folder.resolve())


def test_streamed_pictures_are_the_same(folder, monkeypatch):
    """The loss of the untrained model, of files and of pixels in memory."""
    losses, digests = [], []
    for memory in (pictures.MEMORY, 0):
        monkeypatch.setattr(pictures, "MEMORY", memory)
        recipe = tasks.captioning(folder, **SMALL, batch_size=64).recipe
        assert recipe.stream == (memory == 0)
        experiment.compile_model(recipe, recipe.model)
        # One batch of all rows: the mean over several depends on how they are divided.
        settings = {**experiment.batch_settings(recipe), "buckets": ()}
        test = experiment.make_batches(recipe.model, recipe.data.test, shuffle=False, **settings)
        losses.append(recipe.model.evaluate(test, verbose=0))
        digests.append(recipe.data.sha256())
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)
    assert digests[0] != digests[1]


def test_from_a_folder_to_a_caption(folder, tmp_path, monkeypatch):
    """Streamed, and all that a training leaves."""
    monkeypatch.setattr(pictures, "MEMORY", 0)
    run = tasks.captioning(folder, **SMALL, decoder="recurrent").fit(tmp_path, watch=False)
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert {"loss", "accuracy", "bleu", "exact_match", "bleu_greedy"} <= set(metrics["test"])
    assert list(metrics["baselines"]) == ["caption of the nearest training picture"]
    assert metrics["request"]["task"] == "captioning"
    for name in ("attention.png", "example.png", "training_curves.png", "history.json"):
        assert (tmp_path / name).stat().st_size > 100, name
    mistakes = pandas.read_csv(tmp_path / "mistakes.csv")
    assert list(mistakes) == ["image", "caption", "written", "chrf"]
    assert mistakes["chrf"].is_monotonic_increasing
    assert all((folder / name).exists() for name in mistakes["image"])
    model = ka.load_model(tmp_path / "model.keras")
    for example in (folder / "0.png", tmp_path / "example.png"):
        assert isinstance(ka.generate(model, example, max_new_tokens=4), str)
    assert run.metrics["test"] == metrics["test"]


def test_a_test_table_is_taken_whole(folder):
    rows = [{"image": "3.png", "caption": "seen before"}, {"image": "4.png", "caption": "so too"}]
    run = tasks.captioning(folder, **SMALL, test=rows)
    texts = run.model.get_layer("target_tokenizer").decode(run.recipe.data.test[1])
    assert len(texts) == 2
    assert "2 of 2 rows of the test data are in the training data too" in str(run.findings)
    assert "2 to test on, given" in str(run.findings)


def test_bleu_of_several_references():
    """Any of them counts, and one that is missing counts as little as one that is there twice."""
    written = ["A red bar", "two blue bars stand here"]
    first, second = ["a red bar", "two blue bars lie here"], ["a bar", "two blue bars stand there"]
    expected = sacrebleu.corpus_bleu(written, [first, second], lowercase=True).score / 100
    pairs = [list(pair) for pair in zip(first, second, strict=True)]
    assert captions.bleu(written, pairs)[0] == pytest.approx(expected)
    twice = sacrebleu.corpus_bleu(written, [first, [first[0], second[1]]], lowercase=True).score
    assert captions.bleu(written, [first[:1], pairs[1]])[0] == pytest.approx(twice / 100)
    assert captions.exact_match(written, [["none", "a red BAR"], ["two"]]) == 0.5


def test_the_nearest_picture_is_itself():
    x, y = emoji_captions.sample().train
    texts = [f"{text}, which is the picture with number {row}" for row, text in enumerate(y)]
    train, some = Gallery.of_arrays((x, texts)), np.array([3, 7, 20])
    shown = Gallery(train.images[some], [train.captions[row] for row in some], ["", "", ""])
    assert captions.nearest_picture(train, shown) == pytest.approx(1.0)


def test_the_length_is_that_of_the_texts():
    texts = ["a bar", "a very long bar of many words " * 40]
    tokenizer = captions.train_tokenizer(texts)
    assert captions.choose_length(tokenizer, texts) == captions.LONGEST - 1
    assert captions.choose_length(tokenizer, texts[:1]) == 8
    assert tokenizer.encode(texts).shape[1] == captions.LONGEST


def test_there_must_be_pictures_enough(folder):
    with pytest.raises(ValueError, match="cannot be split into 3 parts"):
        tasks.captioning(folder, captions=[{"image": "0.png", "caption": "one"}])
    with pytest.raises(ValueError, match="There is no column 'words' for `caption`"):
        tasks.captioning(folder, caption="words")
    keras.backend.clear_session()
