import json

import numpy as np
import pytest

from zoo.data import clinc150

pytestmark = pytest.mark.runs_on("torch")

FILE = {
    "oos_val": [["a show", "oos"]],
    "val": [["how hot is it", "weather"]],
    "train": [["will it rain", "weather"], ["what do i owe", "balance"], ["rain ?", "weather"]],
    "oos_test": [["who won", "oos"], ["sing", "oos"]],
    "test": [["my money", "balance"]],
    "oos_train": [["why", "oos"]],
}


def check(splits):
    assert splits.class_names == ("balance", "weather")
    assert splits.train[0].tolist() == ["will it rain", "what do i owe", "rain ?"]
    assert splits.train[1].tolist() == [1, 0, 1]
    assert splits.validation[1].tolist() == [1]
    assert splits.test[1].tolist() == [0]
    x, y = splits.extra[clinc150.OUT_OF_SCOPE]
    assert x.tolist() == ["who won", "sing"]
    assert y.tolist() == [clinc150.NO_CLASS] * 2
    assert x.dtype == object
    assert y.dtype == np.int32


def test_parts_and_what_is_out_of_scope():
    check(clinc150.parse(FILE))


def test_parts_are_read_from_the_file(monkeypatch, tmp_path):
    (tmp_path / "data_full.json").write_text(json.dumps(FILE), "utf-8")
    monkeypatch.setattr(clinc150, "fetch", lambda dataset, file: tmp_path / "data_full.json")
    check(clinc150.load())


def test_sample_has_intents_and_others():
    splits = clinc150.sample()
    assert set(splits.train[1]) == {0, 1, 2, 3}
    assert set(splits.extra[clinc150.OUT_OF_SCOPE][1]) == {clinc150.NO_CLASS}
    assert splits.sha256() == clinc150.sample().sha256()
