"""The graphs of DictionaryLookup, looked up by hand."""

import numpy as np
import pytest

from zoo.data import dictionary_lookup

pytestmark = pytest.mark.runs_on("torch")


def test_the_answer_is_the_value_of_the_key_with_the_attribute():
    splits = dictionary_lookup.load(5, graphs=48)
    x, y, weights = splits.train
    assert x["features"].shape == (36, 10, 11)
    assert x["edges"].shape == (36, 25, 2)
    np.testing.assert_array_equal(weights[:, :5], 1)
    np.testing.assert_array_equal(weights[:, 5:], 0)
    for features, edges, answers in zip(x["features"], x["edges"], y, strict=True):
        attributes, values = features[:, :5].argmax(axis=1), features[:, 5:].argmax(axis=1)
        assert (features.sum(axis=1) == 2).all()
        assert (values[:5] == 5).all(), "a query's value is unknown"
        assert {tuple(edge) for edge in edges.tolist()} == {
            (key, query) for key in range(5, 10) for query in range(5)
        }
        by_attribute = dict(zip(attributes[5:], values[5:], strict=True))
        assert len(set(values[5:])) == 5
        assert [by_attribute[a] for a in attributes[:5]] == answers[:5].tolist()


def test_no_graph_comes_twice():
    splits = dictionary_lookup.load(4, graphs=1000)
    parts = (splits.train, splits.validation, splits.test)
    answers = [tuple(row) for _, y, _ in parts for row in y[:, :4].tolist()]
    assert len(answers) == len(set(answers)) == 24
    assert splits.sha256() == dictionary_lookup.load(4, graphs=1000).sha256()
    assert splits.sha256() != dictionary_lookup.load(4, graphs=1000, seed=1).sha256()
