"""FSDD: recordings as upstream has them, in both kinds of archives."""

import io
import tarfile
import zipfile

import numpy as np
import pytest
import soundfile

from zoo.data import fsdd

pytestmark = pytest.mark.runs_on("torch")


def wav(samples, rate=8000):
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="WAV", subtype="PCM_16")
    return file.getvalue()


def some_files():
    return {
        f"{digit}_{speaker}_{index}.wav": wav(np.full(20 + index, 0.01 * digit))
        for digit in (3, 7)
        for speaker in ("george", "theo")
        for index in (0, 4, 5, 9, 10, 11)
    }


@pytest.fixture
def archives(tmp_path):
    """The files as a zip, and as the archive of the repository, with others beside them."""
    files = some_files()
    with zipfile.ZipFile(tmp_path / "recordings.zip", "w") as archive:
        for name, content in files.items():
            archive.writestr(f"recordings/{name}", content)
    with tarfile.open(tmp_path / "archive.tar.gz", "w:gz") as archive:
        for name, content in {"README.md": b"text", **files}.items():
            folder = "recordings/" if name.endswith(".wav") else ""
            member = tarfile.TarInfo(f"free-spoken-digit-dataset-26eb9aa/{folder}{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return tmp_path


def test_other_recordings_than_those_published_are_refused(archives, monkeypatch):
    monkeypatch.setenv("KERAS_ATTENTION_DATA", str(archives))
    (archives / "fsdd").mkdir()
    (archives / "recordings.zip").rename(archives / "fsdd" / "recordings.zip")
    with pytest.raises(ValueError, match="not those that were published"):
        fsdd.load()
    monkeypatch.setattr(fsdd, "_SHA256", fsdd.digest(some_files()))
    assert len(fsdd.load().train[1]) == 2 * 2 * 2
    # The archive of the repository does as well.
    (archives / "fsdd" / "recordings.zip").unlink()
    (archives / "archive.tar.gz").rename(archives / "fsdd" / fsdd._ARCHIVE.name)
    assert len(fsdd.load().train[1]) == 2 * 2 * 2


def test_names_and_sound_of_a_file():
    content = np.linspace(-1, 0.9, 30)
    recordings = fsdd.recordings({"7_jackson_32.wav": wav(content)})
    assert list(recordings) == [(7, "jackson", 32)]
    assert recordings[7, "jackson", 32].dtype == np.float32
    np.testing.assert_allclose(recordings[7, "jackson", 32], content, atol=2**-15)
    for files, message in (
        ({"jackson_7.wav": wav(content)}, "jackson_7.wav is not named"),
        ({"7_jackson_32.wav": wav(content, 16_000)}, "16000 Hz"),
        ({"7_jackson_32.wav": wav(np.zeros((9, 2)))}, r"shape \(9, 2\)"),
    ):
        with pytest.raises(ValueError, match=message):
            fsdd.recordings(files)


def lengths(part):
    """Returns the index of each recording of the files above, from its length."""
    return sorted({len(x) - 20 for x in part[0]})


def test_official_split():
    splits = fsdd.split(fsdd.recordings(some_files()), None)
    assert lengths(splits.train) == [10, 11]
    assert lengths(splits.validation) == [5, 9]
    assert lengths(splits.test) == [0, 4]
    assert splits.test[1].tolist() == [3] * 4 + [7] * 4
    assert splits.test[1].dtype == np.int32
    assert splits.class_names[7] == "seven"


def test_a_held_out_speaker_is_never_heard():
    splits = fsdd.split(fsdd.recordings(some_files()), "theo")
    assert [len(part[1]) for part in (splits.train, splits.validation, splits.test)] == [8, 4, 12]
    assert lengths(splits.train) == [5, 9, 10, 11]
    assert lengths(splits.validation) == [0, 4]
    with pytest.raises(ValueError, match=r"one of george, jackson.*'nobody'"):
        fsdd.split({}, "nobody")


def test_sample_is_of_the_same_form():
    splits = fsdd.sample()
    for x, y in (splits.train, splits.validation, splits.test):
        assert x.dtype == object
        assert all(wave.dtype == np.float32 and wave.ndim == 1 for wave in x)
        assert set(y) == set(range(10))
    assert splits.sha256() == fsdd.sample().sha256() != fsdd.sample("theo").sha256()
