import io

import numpy as np
import pytest

from zoo.data import trec6

pytestmark = pytest.mark.runs_on("torch")

FILE = (
    "DESC:manner How did it come ?\nENTY:cremat What films had the caf\xe9 ?\n\n"
    "ABBR:exp What is .com ?\nNUM:date When ?\n"
)


def test_lines_are_kinds_and_questions():
    x, y = trec6.parse(io.StringIO(FILE))
    assert x.tolist() == [
        "How did it come ?",
        "What films had the caf\xe9 ?",
        "What is .com ?",
        "When ?",
    ]
    assert [list(trec6.KINDS)[label] for label in y] == ["DESC", "ENTY", "ABBR", "NUM"]
    assert x.dtype == object
    assert y.dtype == np.int32


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="OTHER"):
        trec6.parse(["OTHER:x What ?\n"])


@pytest.fixture
def files(monkeypatch, tmp_path):
    """Upstream's files, which are not UTF-8."""
    (tmp_path / "TREC").write_bytes(FILE.encode("latin-1"))
    monkeypatch.setattr(trec6, "fetch", lambda dataset, file: tmp_path / "TREC")


def test_held_out_questions_are_the_same_in_every_call(files):
    whole, splits, again = trec6.load(), *(trec6.load(held_out=1) for _ in range(2))
    assert len(whole.train[1]) == len(whole.test[1]) == 4
    assert whole.validation is None
    assert sorted([*splits.train[0], *splits.validation[0]]) == sorted(whole.train[0])
    assert len(splits.validation[1]) == 1
    assert splits.sha256() == again.sha256()
    assert whole.class_names[0] == "abbreviation"


def test_sample_is_of_every_kind():
    splits = trec6.sample()
    assert set(splits.train[1]) == set(splits.test[1]) == set(range(6))
    assert splits.sha256() == trec6.sample().sha256()
