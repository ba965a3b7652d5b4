import pytest

from zoo.data import tiny_shakespeare
from zoo.data.download import File

pytestmark = pytest.mark.runs_on("torch")

TEXT = "".join(f"Line {i}.\n" for i in range(40))  # 350 characters


@pytest.fixture
def splits(monkeypatch, tmp_path):
    (tmp_path / "input.txt").write_bytes(TEXT.encode())

    def fetch(dataset: str, file: File):
        assert dataset == "tinyshakespeare"
        assert file.url.endswith("/input.txt")
        return tmp_path / "input.txt"

    monkeypatch.setattr(tiny_shakespeare, "fetch", fetch)
    return tiny_shakespeare.load


def test_windows_and_the_same_one_character_later():
    x, y = tiny_shakespeare.windows("abcdefgh", 3, 2)
    assert x.tolist() == ["abc", "cde", "efg"]
    assert y.tolist() == ["bcd", "def", "fgh"]
    assert x.dtype == y.dtype == object


def test_the_last_tenth_is_for_testing(splits):
    parts = splits(length=10)
    end = len(TEXT) * 9 // 10
    assert "".join(parts.train[0]) == TEXT[: len(parts.train[0]) * 10]
    assert end - 10 <= len(parts.train[0]) * 10 < end
    assert "".join(parts.test[0]) == TEXT[end:][: len(parts.test[0]) * 10]
    assert parts.validation is None
    assert parts.class_names == tuple(sorted(set(TEXT)))
    for x, y in (parts.train, parts.test):
        assert {len(window) for window in (*x, *y)} == {10}


def test_training_windows_may_overlap(splits):
    near, far = splits(length=10, stride=3), splits(length=10, stride=20)
    assert near.train[0][1] == TEXT[3:13]
    assert far.train[0][1] == TEXT[20:30]
    assert near.test[0].tolist() == far.test[0].tolist()


def test_sample_looks_like_it():
    parts = tiny_shakespeare.sample()
    assert "\n" in "".join(parts.test[0])
    assert set("".join(parts.test[0])) <= set("".join(parts.train[0]))
    assert parts.sha256() == tiny_shakespeare.sample().sha256()
