"""Translation: arrays for teacher forcing, BLEU, and the simpler methods beside it."""

import csv

import keras
import numpy as np
import pytest
import sacrebleu

import keras_attention as ka
from keras_attention.training.batches import Batches
from zoo import tasks
from zoo.data import multi30k
from zoo.models.transformer import VARIANTS, transformer
from zoo.readers.findings import Findings
from zoo.tasks import translators, word_translation

RAW = multi30k.sample()


@pytest.fixture(scope="module")
def tokenizers():
    return translators.train_tokenizers(RAW, vocabulary_size=400)


@pytest.mark.runs_on("torch")
def test_the_target_is_what_comes_next(tokenizers):
    source, target = tokenizers
    splits = translators.encode(RAW, source, target)
    for (raw, texts), (x, y, weights) in zip(
        (RAW.train, RAW.validation, RAW.test),
        (splits.train, splits.validation, splits.test),
        strict=True,
    ):
        assert x["source_ids"].shape == x["target_ids"].shape == y.shape == weights.shape
        np.testing.assert_array_equal(weights, y > 0)
        np.testing.assert_array_equal(x["target_ids"] > 0, y > 0)
        assert (x["target_ids"][:, 0] == target.start_id).all()
        np.testing.assert_array_equal(
            x["target_ids"][:, 1:], np.where(y == target.end_id, 0, y)[:, :-1]
        )
        assert ((y == target.end_id).sum(axis=1) == 1).all()
        assert target.decode(y) == [text.lower() for text in texts]
        assert source.decode(x["source_ids"]) == [t.lower() for t in raw["source_ids"]]
    assert splits.extra is RAW.extra


@pytest.mark.runs_on("torch")
def test_batches_are_cut_where_both_end(tokenizers):
    source, target = tokenizers
    splits = translators.encode(RAW, source, target)
    x, y, weights = splits.train
    model = transformer(**VARIANTS["tiny"], source_tokenizer=source, target_tokenizer=target)
    mask = ka.prediction.padding_mask(model, x)
    lengths = np.maximum(*((ids > 0).sum(axis=1) for ids in x.values()))
    np.testing.assert_array_equal(mask.sum(axis=1), lengths)
    data = Batches(x, y, weights, batch_size=8, mask=mask, buckets=(10, 11), shuffle=False)
    for index in range(data.num_batches):
        rows = data.rows(index)
        inputs, target_ids, counted = data[index]
        assert inputs["source_ids"].shape == inputs["target_ids"].shape == target_ids.shape
        for name, ids in inputs.items():
            assert (ids > 0).sum() == (x[name][rows] > 0).sum()
        assert counted.sum() == weights[rows].sum()


@pytest.mark.runs_on("torch")
def test_bleu_is_sacrebleu():
    translations = ["A dog runs .", "the cat's hat"]
    references = ["a dog runs.", "The cat's hat"]
    score, signature = translators.bleu(translations, references)
    assert score == sacrebleu.corpus_bleu(translations, [references], lowercase=True).score / 100
    assert score == pytest.approx(1)
    assert signature.startswith("nrefs:1|case:lc|eff:no|tok:13a|smooth:exp|version:")
    score, signature = translators.tokenised_bleu(translations, ["a dog walks.", "the cat's hat"])
    assert 0.2 < score < 1
    assert "|tok:none|" in signature


@pytest.mark.runs_on("torch")
def test_a_lexicon_is_learned_from_pairs():
    """Model 1 on the example of Koehn's book, figure 4.2: das Haus, das Buch, ein Buch."""
    sources = [["das", "haus"], ["das", "buch"], ["ein", "buch"]]
    targets = [["the", "house"], ["the", "book"], ["a", "book"]]
    words = word_translation.learn_lexicon(sources, targets, rounds=10)
    assert words == {"das": "the", "haus": "house", "buch": "book", "ein": "a"}


@pytest.mark.runs_on("torch")
def test_simpler_methods_know_the_words():
    for method in (word_translation.word_by_word, word_translation.nearest_sentences):
        assert 0.05 < translators.bleu(method(RAW), RAW.test[1])[0] <= 1


@pytest.mark.runs_on("torch")
def test_translations_come_in_the_order_of_the_texts(monkeypatch):
    batches = []

    def generate(model, texts, *, sampler, max_new_tokens):
        batches.append(texts)
        return [text.upper() for text in texts]

    monkeypatch.setattr(translators.ka, "generate", generate)
    texts = ["a long one", "b", "cc", "another long one", "d"]
    translations = translators.translate(None, texts, sampler=None, batch_size=2)
    assert translations == [text.upper() for text in texts]
    assert batches == [["b", "d"], ["cc", "a long one"], ["another long one"]]


def test_a_user_trains_and_asks_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr(translators, "_SIZES", ((np.inf, 300, VARIANTS["tiny"]),))
    x, y = RAW.train
    pairs = "".join(f"{a}\t{b}\n" for a, b in zip(x["source_ids"], y, strict=True))
    (tmp_path / "pairs.tsv").write_text(pairs)
    run = tasks.translation(str(tmp_path / "pairs.tsv"), epochs=1)
    said = str(run.findings)
    assert "Data: 64 pairs" in said
    assert "The first line is a pair" in said
    run.fit(tmp_path / "run")
    files = {file.name for file in (tmp_path / "run").iterdir()}
    assert files > {"model.keras", "mistakes.csv", "attention.png", "training_curves.png"}
    rows = list(csv.DictReader((tmp_path / "run" / "mistakes.csv").open(encoding="utf-8")))
    scores = [float(row["chrF"]) for row in rows]
    assert scores == sorted(scores)
    model = keras.models.load_model(tmp_path / "run" / "model.keras")
    assert model.get_layer("target_tokenizer").decode(
        model.get_layer("source_tokenizer").encode(["Ein Hund"])
    ) == ["Ein Hund"]
    (text,) = ka.generate(model, [x["source_ids"][0]], max_new_tokens=4)
    assert isinstance(text, str)


@pytest.mark.runs_on("torch")
def test_parts_share_no_source_and_say_so():
    findings = Findings()
    sources = [f"Satz {i % 40}" for i in range(100)]
    pairs = (sources, [f"sentence {i}" for i in range(100)])
    raw = translators.split(pairs, None, seed=0, findings=findings)
    parts = [set(x["source_ids"]) for x, _ in (raw.train, raw.validation, raw.test)]
    assert not parts[0] & parts[1] | parts[0] & parts[2] | parts[1] & parts[2]
    raw = translators.split(pairs, (["Satz 1", "neu"], ["a", "b"]), seed=0, findings=findings)
    assert raw.test[1].tolist() == ["a", "b"]
    assert "1 of 2 rows of the test data are in the training data too" in str(findings)
