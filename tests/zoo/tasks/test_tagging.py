"""Counting entities, and the simpler method that stands beside the taggers."""

import numpy as np
import pytest

import keras_attention as ka
from zoo.data import Splits, ud_english_ewt, wnut17
from zoo.recipes import tag_ner, tag_pos
from zoo.tasks import tagging

pytestmark = pytest.mark.runs_on("torch")


def test_hand_features_know_neighbours_and_shape():
    first, second = tagging.list_features(["Go", "home2"])
    assert {"word go", "shape Xx", "1 word home2", "-1 word <s>", "ends go"} <= set(first)
    assert {"word home2", "shape xxxxd", "-1 word go", "1 word </s>", "begins hom"} <= set(second)


def test_the_simpler_method_learns_the_samples():
    assert tag_pos.logistic_regression(ud_english_ewt.sample()) > 0.95
    assert tag_ner.logistic_regression(wnut17.sample()) > 0.9


def test_entities_count_whole_and_by_type():
    names = ("O", "B-a", "I-a", "B-b", "I-b")
    y = np.array([[1, 2, 0, 3], [3, 4, 4, 0]])
    part = (np.array([list("wxyz"), list("wxy")], dtype=object), y, (y >= 0).astype("float32"))
    splits = Splits(train=part, test=part, class_names=names)
    tags = np.array([[1, 2, 0, 1], [3, 4, 0, 0]])  # one of three; another type, another end
    assert tag_ner.score(splits, part, y)["entity_f1"] == 1.0
    scores = tag_ner.score(splits, part, tags)
    assert scores == pytest.approx(dict.fromkeys(scores, 1 / 3))
    inside = np.array([[2, 2, 0, 4], [4, 4, 4, 0]])  # entities that do not begin are none
    assert tag_ner.score(splits, part, inside)["entity_f1"] == 0.0


def test_the_bias_is_chosen_by_validation():
    splits = wnut17.sample()
    _, y, _ = splits.validation
    logits = 3.0 * np.eye(13)[y]
    logits[..., 0] += 3.2  # all words are outside, a little less so those of entities
    labels = ka.layers.EntityLabels(13, wnut17.TAGS)
    tag_ner.choose_bias(labels, splits, logits)
    assert labels.outside_bias == -0.5
    assert (labels.tags(logits) == y).all()
