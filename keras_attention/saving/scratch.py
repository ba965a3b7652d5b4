"""Temporary folders that do not stay for good, however their process ends."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows, which has other locks: there a killed process leaves its folder
    fcntl = None  # type: ignore[assignment]

_PREFIX = "keras-attention-"
_NEW = 60  # seconds in which a folder may not be locked yet


@contextmanager
def scratch() -> Iterator[Path]:
    """A temporary folder for the time of the block.

    Folders whose process was killed in such a block are removed first. The system gives up the
    lock on a folder when its process ends, so a folder without one belongs to nobody.
    """
    _sweep()
    with tempfile.TemporaryDirectory(prefix=_PREFIX) as folder:
        handle = _lock(folder)
        try:
            yield Path(folder)
        finally:
            if handle is not None:
                os.close(handle)


def _sweep() -> None:
    """Removes this user's folders that no process holds."""
    if fcntl is None:
        return
    with suppress(OSError), os.scandir(tempfile.gettempdir()) as entries:
        for entry in entries:
            if not entry.name.startswith(_PREFIX):
                continue
            with suppress(OSError):  # of a folder that goes at this moment, or is another user's
                status = entry.stat(follow_symlinks=False)
                if status.st_uid != os.getuid() or time.time() - status.st_mtime < _NEW:
                    continue
                handle = _lock(entry.path)
                if handle is not None:
                    shutil.rmtree(entry.path, ignore_errors=True)
                    os.close(handle)


def _lock(folder: str) -> int | None:
    """Locks a folder until the handle is closed; `None` if it cannot be had."""
    if fcntl is None:
        return None
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle
