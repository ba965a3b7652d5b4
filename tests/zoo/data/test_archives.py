"""Archives: the same content in both kinds, and whether it is that which was published."""

import io
import tarfile
import zipfile

import pytest

from zoo.data import archives

FILES = {"a.png": b"one", "b.png": b"two"}


@pytest.fixture
def packed(tmp_path):
    """The files in a zip, and in the archive of a repository with others beside them."""
    with zipfile.ZipFile(tmp_path / "images.zip", "w") as archive:
        for name, content in FILES.items():
            archive.writestr(name, content)
    others = {"README.md": b"text", "data/test/images/a.png": b"other"}
    with tarfile.open(tmp_path / "repository.tar.gz", "w:gz") as archive:
        for name, content in {
            **others,
            **{f"data/train/images/{name}": content for name, content in FILES.items()},
        }.items():
            member = tarfile.TarInfo(f"repository-26eb9aa/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return tmp_path


def test_both_kinds_have_the_same_content(packed):
    assert archives.read(packed / "images.zip", ".png") == FILES
    original = packed / "repository.tar.gz"
    assert archives.read(original, ".png", under="train/images") == FILES
    assert archives.read(original, ".png", under="test/images") == {"a.png": b"other"}
    assert archives.read(original, ".md") == {"README.md": b"text"}
    assert archives.read(packed / "images.zip", ".wav") == {}


def test_what_is_no_archive_is_refused(tmp_path):
    (tmp_path / "note.zip").write_text("no archive")
    with pytest.raises(ValueError, match=r"note\.zip is not an archive"):
        archives.read(tmp_path / "note.zip", ".png")


def test_a_digest_is_of_names_and_content_in_any_order():
    assert archives.digest(FILES) == archives.digest(dict(reversed(FILES.items())))
    changed = {**FILES, "a.png": b"other"}
    renamed = {name.replace("a", "c"): content for name, content in FILES.items()}
    assert len({archives.digest(files) for files in (FILES, changed, renamed)}) == 3
