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


@pytest.mark.parametrize("name", ["packed.zip", "archive.tar.gz"])
def test_files_larger_than_expected_are_refused(tmp_path, name):
    with zipfile.ZipFile(tmp_path / "packed.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros.wav", bytes(2**20))
    (tmp_path / "zeros.wav").write_bytes(bytes(2**20))
    with tarfile.open(tmp_path / "archive.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "zeros.wav", "zeros.wav")
    with pytest.raises(ValueError, match=f"{name} has files of more than 1,048,575 bytes"):
        archives.read_files(tmp_path / name, r".*", max_bytes=2**20 - 1)
    assert len(archives.read_files(tmp_path / name, r".*", max_bytes=2**20)["zeros.wav"]) == 2**20
