"""Vocabularies that are learned from texts, and what is said meanwhile."""

import time

import pytest

import keras_attention as ka
from zoo import progress
from zoo.tasks.vocabularies import learn_vocabulary

pytestmark = pytest.mark.runs_on("torch")
TEXTS = ["to be or not to be", "that is the question", "to sleep"] * 4


@pytest.mark.parametrize("texts", [TEXTS, iter(TEXTS)], ids=["list", "iterator"])
def test_the_vocabulary_is_that_of_the_texts(texts, capsys):
    learned = learn_vocabulary(texts, vocabulary_size=300, model="bpe")
    expected = ka.layers.Tokenizer.train(TEXTS, vocabulary_size=300, model="bpe")
    assert learned.vocabulary == expected.vocabulary
    assert not capsys.readouterr().err  # it was quick


def test_lists_of_words():
    sentences = [text.split() for text in TEXTS]
    learned = learn_vocabulary(sentences, unit="words", model="word", words=True)
    expected = ka.layers.Tokenizer.train(sentences, model="word", words=True)
    assert learned.vocabulary == expected.vocabulary


def test_long_work_says_how_far_it_is(monkeypatch, capsys):
    for name in ("_LOG", "_QUIET", "_TERMINAL"):
        monkeypatch.setattr(progress, name, 0.01)

    def train(texts, **_):
        for _ in texts:
            time.sleep(0.015)
        time.sleep(0.1)  # as merging byte pairs does

    monkeypatch.setattr(ka.layers.Tokenizer, "train", train)
    learn_vocabulary(TEXTS, vocabulary_size=300)
    first, *_, last = capsys.readouterr().err.splitlines()
    size = sum(map(len, TEXTS))
    assert first.startswith(
        f"Read {len(TEXTS[0])} of {size} characters to learn tokens from (10 %)"
    )
    assert first.endswith("s left")
    assert last == "Choosing tokens for 0 s"


def test_an_error_ends_what_is_said(monkeypatch, capsys):
    monkeypatch.setattr(progress, "_LOG", 0.01)
    monkeypatch.setattr(progress, "_TERMINAL", 0.01)
    with pytest.raises(KeyError), progress.show_waiting("Choosing tokens for"):
        raise KeyError
    said = capsys.readouterr().err
    time.sleep(0.05)
    assert capsys.readouterr().err == ""
    assert said.count("\n") <= 1
