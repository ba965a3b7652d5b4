"""Taggers: of a user's own sentences, how entities are counted, and the simpler method beside."""

import json

import numpy as np
import pytest

import keras_attention as ka
from zoo import tasks
from zoo.data import Splits, ud_english_ewt, wnut17
from zoo.readers.findings import Findings
from zoo.tasks import entities, hand_features, taggers

on_torch = pytest.mark.runs_on("torch")


def write_columns(path, sentences):
    path.write_text(
        "\n".join("".join(f"{w}\t{t}\n" for w, t in zip(*s, strict=True)) for s in sentences)
    )
    return path


def make_sentences(count, scheme="BIO"):
    """Made-up sentences with a name behind a telling word."""
    rng = np.random.default_rng(0)
    stems = ["bal", "dor", "fim", "gur", "kel", "lun", "mop", "nid", "pez", "rus"]
    sentences = []
    for _ in range(count):
        cue, kind = [("mr", "person"), ("in", "place")][rng.integers(2)]
        size = int(rng.integers(1, 3))
        words = [*rng.choice(stems, rng.integers(1, 4)), cue]
        tags = ["O"] * len(words)
        words += [str(stem).title() for stem in rng.choice(stems, size)]
        tags += [f"B-{kind}", f"I-{kind}"][:size]
        if scheme == "BIOES":
            tags[-1] = f"{'S' if size == 1 else 'E'}-{kind}"
        sentences.append(([str(word) for word in words], tags))
    return sentences


def read(data, test=None, **others):
    findings = Findings()
    settings = {"tokens": None, "tags": None, "seed": 0, **others}
    return taggers.read(data, test, findings=findings, **settings), findings


def test_a_tagger_of_the_users_own(tmp_path, monkeypatch):
    """From a column file to a folder with a model that finds entities."""
    monkeypatch.setitem(
        taggers.default.VARIANTS, "default", {**taggers.default.VARIANTS["tiny"], "hidden_dim": 32}
    )
    path = write_columns(tmp_path / "train.conll", make_sentences(240, "BIOES"))
    run = tasks.tagging(path, epochs=20, batch_size=8)
    assert "Entities, marked in BIOES: " in str(run.findings)
    run.fit(tmp_path / "run", watch=False)
    assert run.metrics["score"] == "entity_f1"
    assert run.metrics["test"]["entity_f1"] > 0.7
    assert run.metrics["request"]["arguments"]["data"] == str(path)
    written = {each.name for each in (tmp_path / "run").iterdir()}
    assert {"model.keras", "metrics.json", "model.md", "tag_scores.png"} <= written
    assert {"attention.png", "confusion_matrix.png", "training_curves.png"} <= written
    model = ka.load_model(tmp_path / "run" / "model.keras")
    assert model.get_layer("labels").scheme == "BIOES"
    answer = ka.predict(model, "bal in Dor")
    assert [(each.label, each.text) for each in answer.entities] == [("place", "Dor")]


@on_torch
def test_the_request_is_the_users(tmp_path):
    rows = [{"tokens": w, "tags": t} for w, t in make_sentences(30)]
    path = tmp_path / "train.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    splits, findings = read(str(path))
    counts = [len(part[0]) for part in (splits.train, splits.validation, splits.test)]
    assert sum(counts) == 30
    assert min(counts) >= 2
    same, _ = read(rows)
    assert same.sha256() == splits.sha256()
    assert str(findings).startswith("Data: 30 sentences, ")


@on_torch
def test_words_count_where_tags_mark_nothing(tmp_path, monkeypatch):
    sentences = [
        (w, ["NAME" if each.istitle() else "WORD" for each in w]) for w, _ in make_sentences(20)
    ]
    path = write_columns(tmp_path / "train.tsv", sentences)
    run = tasks.tagging(path, epochs=1)
    assert run.recipe.score == "accuracy"
    assert isinstance(run.model.get_layer("labels"), ka.layers.Labels)
    assert not isinstance(run.model.get_layer("labels"), ka.layers.EntityLabels)


@on_torch
def test_iob1_becomes_bio():
    sentences = [
        (["Rome", "is", "Big", "Ben", "Rome"], ["I-a", "O", "I-b", "I-b", "I-a"]),
        (["x", "Rome", "Oslo"], ["O", "I-a", "B-a"]),
        (["x", "y"], ["O", "O"]),
    ]
    splits, _ = read([{"tokens": w, "tags": t} for w, t in sentences], seed=1)
    named = {}
    for x, y, _ in (splits.train, splits.validation, splits.test):
        for words, row in zip(x, y, strict=True):
            named[tuple(words)] = [splits.class_names[i] for i in row[: len(words)]]
    assert named["Rome", "is", "Big", "Ben", "Rome"] == ["B-a", "O", "B-b", "I-b", "B-a"]
    assert named["x", "Rome", "Oslo"] == ["O", "B-a", "B-a"]


@on_torch
def test_what_is_found():
    rows = [{"tokens": w, "tags": t} for w, t in make_sentences(20)]
    long = {"tokens": ["a"] * 1000, "tags": ["O"] * 1000}
    empty = {"tokens": [], "tags": []}
    splits, findings = read([*rows, rows[0], long, empty], [rows[0], rows[1]])
    assert len(splits.train[0]) + len(splits.validation[0]) == 23
    warnings = "\n".join(findings.warnings)
    assert "1 sentences of `data` are left out: they have no words" in warnings
    assert "Sentences of `data` longer than 512 words are cut into several" in warnings
    assert "rows repeat an earlier one" in warnings
    assert "2 of 2 rows of the test data are in the training data too" in warnings


@on_torch
@pytest.mark.parametrize(
    ("data", "test", "message"),
    [
        ([(["a"], ["N"]), (["b"], ["N"])], None, "`tags` has one class alone"),
        ([(["a"], ["N"]), (["b"], ["V"])], [(["c"], ["X"])], "classes that no row .* has: 'X'"),
        ([([], [])], None, "No sentence of `data` has words"),
        ([(["a"], ["N"]), (["b"], ["V"])], None, "2 rows that differ cannot be split into 3"),
    ],
)
def test_bad_data(data, test, message):
    def rows(sentences):
        return [{"tokens": words, "tags": tags} for words, tags in sentences]

    with pytest.raises(ValueError, match=message):
        read(rows(data), None if test is None else rows(test))


@on_torch
def test_hand_features_know_neighbours_and_shape():
    first, second = hand_features.list_features(["Go", "home2"])
    assert {"word go", "shape Xx", "1 word home2", "-1 word <s>", "ends go"} <= set(first)
    assert {"word home2", "shape xxxxd", "-1 word go", "1 word </s>", "begins hom"} <= set(second)


@on_torch
def test_the_simpler_method_learns_the_samples():
    assert taggers.score_words(ud_english_ewt.sample()) > 0.95
    assert entities.logistic_regression(wnut17.sample()) > 0.9


@on_torch
def test_entities_count_whole_and_by_type():
    names = ("O", "B-a", "I-a", "B-b", "I-b")
    y = np.array([[1, 2, 0, 3], [3, 4, 4, 0]])
    part = (np.array([list("wxyz"), list("wxy")], dtype=object), y, (y >= 0).astype("float32"))
    splits = Splits(train=part, test=part, class_names=names)
    tags = np.array([[1, 2, 0, 1], [3, 4, 0, 0]])  # one of three; another type, another end
    assert entities.score(splits, part, y)["entity_f1"] == 1.0
    scores = entities.score(splits, part, tags)
    assert scores == pytest.approx(dict.fromkeys(scores, 1 / 3))
    inside = np.array([[2, 2, 0, 4], [4, 4, 4, 0]])  # entities that do not begin are none
    assert entities.score(splits, part, inside)["entity_f1"] == 0.0


@on_torch
@pytest.mark.parametrize("letters", ["BIES", "BILU", "BMES"])
def test_entities_that_end_count_too(letters):
    """Big Ben in Rome: one of two words, and one of one."""
    names = ("O", *(f"{letter}-a" for letter in letters))
    y = np.array([[1, 3, 0, 4]])
    part = (np.array([["Big", "Ben", "in", "Rome"]], dtype=object), y, np.ones((1, 4), "float32"))
    splits = Splits(train=part, test=part, class_names=names)
    assert entities.score(splits, part, y)["entity_f1"] == 1.0
    never_ends = entities.score(splits, part, np.array([[1, 2, 0, 4]]))
    assert never_ends["entity_precision"] == 1.0
    assert never_ends["entity_recall"] == 0.5


@on_torch
def test_the_bias_is_chosen_by_validation():
    splits = wnut17.sample()
    _, y, _ = splits.validation
    logits = 3.0 * np.eye(13)[y]
    logits[..., 0] += 3.2  # all words are outside, a little less so those of entities
    labels = ka.layers.EntityLabels(13, wnut17.TAGS)
    entities.choose_bias(labels, splits, logits)
    assert labels.outside_bias == -0.5
    assert (labels.tags(logits) == y).all()
