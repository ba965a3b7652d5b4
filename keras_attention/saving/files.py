"""Files that are written completely or not at all."""

import errno
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from keras_attention.saving import scratch


@contextmanager
def complete(path: str | Path) -> Iterator[Path]:
    """A temporary name to write to, which becomes `path` if the block succeeds.

    The name is in the folder of `path`, so that the replacement is atomic, and has its suffix,
    by which savers choose the format. What was written is on the disk before it gets its name,
    and the name before this returns; so after a power cut, as after an error, `path` is either
    as it was or complete. A file that is replaced passes its permissions on; a link stays one,
    and the file that it points to is replaced.

    ```python
    with complete("runs/iris/model.keras") as temporary:
        model.save(temporary)
    ```

    Raises:
        OSError: `path` is a folder, or may not be written to.
    """
    path = Path(os.path.realpath(path))
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "It is a folder", str(path))
    if path.exists() and not os.access(path, os.W_OK):  # which a replacement would not heed
        raise PermissionError(errno.EACCES, "The file is read-only", str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    with scratch.file(path.parent, path.suffix) as temporary:
        mode = (path if path.exists() else temporary).stat().st_mode
        yield temporary
        temporary.chmod(mode)
        flush(temporary)
        os.replace(temporary, path)
        flush(path.parent)


@contextmanager
def complete_folder(path: str | Path, *, holds: str) -> Iterator[Path]:
    """A temporary folder to fill, which becomes `path` if the block succeeds.

    Args:
        path: if it is there, it must be empty or have a file `holds`, and is replaced as a
            whole. No system replaces folders at once: if the process dies in between, the old
            one is beside it, as `.keras_attention_old-...`.
        holds: a file that tells a folder that may be replaced.

    Raises:
        ValueError: `path` is something else.
    """
    path = Path(os.path.realpath(path))
    if path.exists() and not (
        path.is_dir() and (not any(path.iterdir()) or (path / holds).exists())
    ):
        raise ValueError(
            f"{path} is there and not a folder with {holds}. It is left as it is: save to another "
            "path."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    with scratch.folder(path.parent) as temporary:
        mode = (path if path.exists() else temporary).stat().st_mode
        yield temporary
        temporary.chmod(mode)
        for written in temporary.rglob("*"):
            flush(written)
        old = path.with_name(f".keras_attention_old-{secrets.token_hex(6)}")
        try:
            if path.exists():
                os.replace(path, old)
            os.replace(temporary, path)
        except BaseException:
            if old.exists():
                os.replace(old, path)
            raise
        shutil.rmtree(old, ignore_errors=True)
        flush(path.parent)


def flush(path: Path) -> None:
    """Puts what was written to a file, or the names in a folder, on the disk."""
    if path.is_dir() and os.name == "nt":
        return  # Windows opens no folders, and needs no flush of names.
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_text(path: str | Path, content: str) -> None:
    """Writes `content` in UTF-8."""
    with complete(path) as temporary:
        temporary.write_text(content, encoding="utf-8")


def write_json(path: str | Path, content: Any) -> None:
    """Writes `content` as indented JSON."""
    write_text(path, json.dumps(content, indent=2) + "\n")


def sha256(path: str | Path) -> str:
    """The digest of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def list_digest(digests: Mapping[str, str]) -> str:
    """The digest of a list of digests by name, sorted, in the format of `sha256sum`."""
    lines = "".join(f"{value}  {name}\n" for name, value in sorted(digests.items()))
    return hashlib.sha256(lines.encode()).hexdigest()
