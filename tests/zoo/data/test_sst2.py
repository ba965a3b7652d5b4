import io

import numpy as np
import pytest

from zoo.data import sst2

pytestmark = pytest.mark.runs_on("torch")


def test_lines_are_sentences_and_labels():
    x, y = sst2.parse(io.StringIO("it 's a\ttab , and fun\t1\na dull film .\t0\n"))
    assert x.tolist() == ["it 's a\ttab , and fun", "a dull film ."]
    assert y.tolist() == [1, 0]
    assert x.dtype == object
    assert y.dtype == np.int32


def test_parts_are_read_from_their_files(monkeypatch, tmp_path):
    for name, text in (("train", "caf\u00e9 good"), ("dev", "so so"), ("test", "bad")):
        (tmp_path / f"{name}.tsv").write_text(f"{text}\t{int(name == 'train')}\n", "utf-8")
    monkeypatch.setattr(sst2, "fetch", lambda dataset, file: tmp_path / file.url.rpartition("/")[2])
    splits = sst2.load()
    assert [part[0][0] for part in (splits.train, splits.validation, splits.test)] == [
        "caf\u00e9 good",
        "so so",
        "bad",
    ]
    assert splits.train[1][0] == 1
    assert splits.class_names == ("negative", "positive")


def test_sample_has_both_classes():
    splits = sst2.sample()
    assert set(splits.train[1]) == {0, 1}
    assert splits.sha256() == sst2.sample().sha256()
