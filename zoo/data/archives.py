"""Datasets of many small files, in an archive that somebody made of them."""

import hashlib
import re
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path


def read_files(path: str | Path, names: str) -> dict[str, bytes]:
    """Files of a zip or tar archive, by their names without folders.

    Args:
        path: of the archive, of which nothing is extracted.
        names: regular expression that the whole name of a file has to match, folders included.

    Raises:
        ValueError: it is neither.
    """
    wanted = re.compile(names)
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            found = filter(wanted.fullmatch, archive.namelist())
            return {name.rpartition("/")[2]: archive.read(name) for name in found}
    if tarfile.is_tarfile(path):
        with tarfile.open(path) as archive:
            files = {}
            for member in archive:
                content = archive.extractfile(member) if wanted.fullmatch(member.name) else None
                if content:
                    files[member.name.rpartition("/")[2]] = content.read()
            return files
    raise ValueError(f"{path} is not an archive. Remove it, to have it fetched anew.")


def digest(files: Mapping[str, bytes]) -> str:
    """SHA-256 over the sorted names, each with the SHA-256 of its bytes.

    What is in an archive has it, however it was packed.
    """
    total = hashlib.sha256()
    for name in sorted(files):
        total.update(f"{name} {hashlib.sha256(files[name]).hexdigest()}\n".encode())
    return total.hexdigest()
