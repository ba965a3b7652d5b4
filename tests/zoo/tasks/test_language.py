"""Language models of a user's own texts: what is chosen, trained, measured and left."""

import json
import shutil
from functools import partial
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_attention as ka
from zoo import tasks
from zoo.data import tiny_shakespeare
from zoo.models.gpt import gpt
from zoo.readers.findings import Findings
from zoo.tasks import language

GPT2 = Path(__file__).parents[1] / "pretrained" / "checkpoints" / "gpt2"
SAMPLE = tiny_shakespeare.sample(length=50)
TEXT = "".join(SAMPLE.train[0])
SMALL = dict(hidden_dim=8, intermediate_dim=16, num_heads=2, num_layers=1)


def test_a_user_trains_and_asks_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr(language, "gpt", partial(gpt, **SMALL))
    (tmp_path / "play.txt").write_text(TEXT)
    run = tasks.language_model(str(tmp_path / "play.txt"), length=16, epochs=1, seed=1)
    assert "Tokens: characters" in str(run.findings)
    folder = tmp_path / "run"
    run.fit(folder)
    test = run.metrics["test"]
    assert test["perplexity"] == pytest.approx(np.exp(test["loss"]), rel=1e-4)
    # A token is a character.
    assert test["bits_per_character"] == pytest.approx(test["loss"] / np.log(2), rel=1e-4)
    assert {path.name for path in folder.iterdir()} > {
        "model.keras",
        "mistakes.csv",
        "surprise.png",
        "attention.png",
        "training_curves.png",
    }
    request = json.loads((folder / "metrics.json").read_text())["request"]
    assert request["task"] == "language_model"
    assert request["arguments"]["data"] == str(tmp_path / "play.txt")
    model = keras.models.load_model(folder / "model.keras")
    (text,) = ka.generate(model, ["ROMEO:"], max_new_tokens=20)  # beyond the windows
    assert len(text) == 20


@pytest.mark.runs_on("torch")
def test_windows_are_the_corpus_in_order():
    findings = Findings()
    corpus = language.read_corpus([TEXT])
    tokenizer = language.train_tokenizer(corpus, "character")
    ids = language.encode(corpus, tokenizer)
    assert ids.dtype == np.uint8
    (x, y), *_ = language.cut([ids, ids[:40], ids[:30]], 10, tokenizer, findings)
    text = "".join(corpus())
    assert "".join(tokenizer.decode(x)) == text[: x.size]
    assert "".join(tokenizer.decode(y)) == text[1 : x.size + 1]
    with pytest.raises(ValueError, match="of 10 tokens to test on no window of 10"):
        language.cut([ids, ids[:40], ids[:10]], 10, tokenizer, findings)


@pytest.mark.runs_on("torch")
def test_of_a_long_corpus_windows_from_all_over_it(monkeypatch):
    monkeypatch.setattr(language, "MOST", 300)
    findings, ids = Findings(), np.arange(2, 1002)
    tokenizer = ka.layers.Tokenizer.train(["ab"], model="character", min_frequency=1)
    (x, _), *_ = language.cut([ids, ids, ids], 10, tokenizer, findings)
    assert x.size <= 300
    assert x[0, 0] == 2
    assert x[-1, 0] > 950
    assert "250 of 1,000 tokens are trained on: each 4th window of 10" in str(findings)


@pytest.mark.runs_on("torch")
def test_characters_of_a_small_corpus_and_byte_pairs_of_a_larger_one(monkeypatch):
    corpus, findings = language.read_corpus([TEXT]), Findings()
    assert language.choose_tokens(corpus, findings) == "character"
    monkeypatch.setattr(language, "SMALL", len(TEXT) - 10)
    assert language.choose_tokens(corpus, findings) == "bpe"
    assert "byte pairs, as there are more than" in str(findings)
    tokenizer = language.train_tokenizer(corpus, "bpe")
    text = TEXT[TEXT.index("ROMEO") : 400]
    assert tokenizer.decode(tokenizer.encode([text]))[0].strip() == text.strip()


@pytest.mark.runs_on("torch")
def test_characters_that_are_not_trained_on_are_said(tmp_path):
    (tmp_path / "test.txt").write_text("ßßß" + TEXT[:100])
    run = tasks.language_model([TEXT], test=str(tmp_path / "test.txt"), length=16)
    # Of the first one nothing is asked.
    assert "2 tokens to test on are of no character that is trained on" in str(run.findings)


@pytest.mark.runs_on("torch")
def test_starts_from_a_published_model(tmp_path):
    for path in ("model.safetensors", "config.json", "texts/tokenizer.json"):
        shutil.copy(GPT2 / path, tmp_path)
    run = tasks.language_model([TEXT], init=str(tmp_path), length=16, lora=2, epochs=1)
    assert run.recipe.init["source"] == str(tmp_path)
    assert run.recipe.variant == f"from {tmp_path.name}, LoRA 2"
    assert run.model.get_layer("tokenizer").vocabulary_size == 90
    run.fit(watch=False)
    assert np.isfinite(run.result.test["bits_per_character"])


@pytest.mark.runs_on("torch")
def test_too_little_text_gets_a_sentence():
    with pytest.raises(ValueError, match=r"too little text: of \d+ tokens to train on"):
        tasks.language_model(["to be or not to be"])
