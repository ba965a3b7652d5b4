import io

import pytest

from zoo.data import wnut17

pytestmark = pytest.mark.runs_on("torch")

FILE = (
    "@you\tO\nOslo\tB-location\nOpera\tI-location\n\t\nA\N{NO-BREAK SPACE}\u2028b\tO\n\n\nok\tO\n"
)


def test_sentences_end_at_lines_of_white_space():
    """Words may hold what others take for line ends."""
    assert wnut17.parse(io.StringIO(FILE, newline="\n")) == [
        (["@you", "Oslo", "Opera"], ["O", "B-location", "I-location"]),
        (["A\N{NO-BREAK SPACE}\u2028b"], ["O"]),
        (["ok"], ["O"]),
    ]


def test_parts_are_read_from_their_files(monkeypatch, tmp_path):
    (tmp_path / "file").write_text(FILE, "utf-8")
    fetched = []
    monkeypatch.setattr(wnut17, "fetch", lambda *file: fetched.append(file) or tmp_path / "file")
    splits = wnut17.load()
    _, y, weights = splits.test
    assert [splits.class_names[tag] for tag in y[0]] == ["O", "B-location", "I-location"]
    assert weights.tolist() == [[1, 1, 1], [1, 0, 0], [1, 0, 0]]
    assert [file.url.rpartition("/")[2] for _, file in fetched] == [
        *("wnut17train.conll", "emerging.dev.conll", "emerging.test.annotated"),
    ]


def test_sample_looks_like_it():
    splits = wnut17.sample()
    assert splits.class_names[0] == "O"
    assert len(splits.class_names) == 13
    assert (splits.train[1] > 0).any()
    assert splits.sha256() == wnut17.sample().sha256()
