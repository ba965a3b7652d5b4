"""Archives of datasets whose files are many: what is in them, and whether it is what it was.

The archive of a repository is made when it is asked for, so its own bytes may differ from one time
to the next; what can be pinned is the content of its files.
"""

import hashlib
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path


def read(path: str | Path, suffix: str, *, under: str = "") -> dict[str, bytes]:
    """Files of a zip or tar archive, by their names without folders. Nothing is extracted.

    Args:
        path: of the archive.
        suffix: how the names of the files end.
        under: the end of the path of the folder that they are in; any folder if empty.

    Raises:
        ValueError: it is neither.
    """

    def wanted(name: str) -> bool:
        return name.endswith(suffix) and f"/{name}".rpartition("/")[0].endswith(under)

    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if wanted(name)]
            return {name.rpartition("/")[2]: archive.read(name) for name in names}
    if tarfile.is_tarfile(path):
        with tarfile.open(path) as archive:
            found = {}
            for member in archive:
                content = archive.extractfile(member) if member.isfile() else None
                if content and wanted(member.name):
                    found[member.name.rpartition("/")[2]] = content.read()
            return found
    raise ValueError(f"{path} is not an archive. Remove it, to have it fetched anew.")


def digest(files: Mapping[str, bytes]) -> str:
    """SHA-256 over the sorted names, each with the SHA-256 of its bytes."""
    total = hashlib.sha256()
    for name in sorted(files):
        total.update(f"{name} {hashlib.sha256(files[name]).hexdigest()}\n".encode())
    return total.hexdigest()
