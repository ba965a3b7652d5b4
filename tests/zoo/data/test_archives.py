"""Archives of many files: the same content in both kinds."""

import io
import tarfile
import zipfile

import pytest

from zoo.data import archives

pytestmark = pytest.mark.runs_on("torch")

FILES = {"one.wav": b"1", "two.wav": b"22"}


def pack(folder, files):
    """A zip, and the archive of a repository that has other files beside them."""
    with zipfile.ZipFile(folder / "packed.zip", "w") as archive:
        for name, content in files.items():
            archive.writestr(f"sounds/{name}", content)
    with tarfile.open(folder / "archive.tar.gz", "w:gz") as archive:
        for name, content in {"README.md": b"text", **files}.items():
            member = tarfile.TarInfo(
                f"repository-1a2b/{'' if name == 'README.md' else 'sounds/'}{name}"
            )
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def test_both_archives_have_the_same_content(tmp_path):
    pack(tmp_path, FILES)
    packed = archives.read_files(tmp_path / "packed.zip", r".*\.wav")
    original = archives.read_files(tmp_path / "archive.tar.gz", r".*\.wav")
    assert packed == original == FILES
    assert list(archives.read_files(tmp_path / "packed.zip", r"sounds/t.*")) == ["two.wav"]
    assert archives.digest(packed) == archives.digest(dict(reversed(original.items())))
    changed = {**packed, "one.wav": b"other"}
    renamed = {name.replace("two", "three"): content for name, content in packed.items()}
    assert len({archives.digest(files) for files in (packed, changed, renamed)}) == 3
    (tmp_path / "note.zip").write_text("no archive")
    with pytest.raises(ValueError, match=r"note\.zip is not an archive"):
        archives.read_files(tmp_path / "note.zip", ".*")
