"""Readers of datasets of many small files in one archive."""

import hashlib
import re
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

MAX_BYTES = 2**30  # of all files of an archive that are read; the largest of ours have 2**27


def read_files(path: str | Path, names: str, *, max_bytes: int = MAX_BYTES) -> dict[str, bytes]:
    """Returns files of a zip or tar archive, by their names without folders.

    Args:
        path: of the archive, of which nothing is extracted.
        names: regular expression that the whole name of a file has to match, folders included.
        max_bytes: of these files together.

    Raises:
        ValueError: it is neither, or the files are larger.
    """
    wanted = re.compile(names)
    files: dict[str, bytes] = {}
    left = max_bytes
    for name, content in _members(path, wanted):
        read = content.read(left + 1)  # whatever size the archive says it has
        left -= len(read)
        if left < 0:
            raise ValueError(
                f"{path} has files of more than {max_bytes:,} bytes. If that is right, pass a "
                "higher `max_bytes`."
            )
        files[name.rpartition("/")[2]] = read
    return files


def _members(path: str | Path, wanted: re.Pattern) -> Iterator[tuple[str, IO[bytes]]]:
    """Yields the name of each file that is wanted, with the open file."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for name in filter(wanted.fullmatch, archive.namelist()):
                with archive.open(name) as content:
                    yield name, content
    elif tarfile.is_tarfile(path):
        with tarfile.open(path) as archive:
            for member in archive:
                content = archive.extractfile(member) if wanted.fullmatch(member.name) else None
                if content:
                    yield member.name, content
    else:
        raise ValueError(f"{path} is not an archive. Remove it, to have it fetched anew.")


def digest(files: Mapping[str, bytes]) -> str:
    """Returns the SHA-256 over the sorted names, each with the SHA-256 of its bytes.

    It is the same however the files were packed.
    """
    total = hashlib.sha256()
    for name in sorted(files):
        total.update(f"{name} {hashlib.sha256(files[name]).hexdigest()}\n".encode())
    return total.hexdigest()
