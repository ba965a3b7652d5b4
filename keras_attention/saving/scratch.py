"""Files and folders that are there while they are worked on, and what killed processes left.

A name in use is locked. The system gives a lock back when the process dies, however it does, so
what is not locked was left behind. Neither age nor process number would tell: clocks are set back,
and containers that share a folder number their processes alike. Windows has no such locks, and
some network drives neither; what was left stays there.
"""

import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # on Windows
    fcntl = None  # type: ignore[assignment]

_PREFIX = ".keras_attention-"


@contextmanager
def folder(parent: Path | None = None) -> Iterator[Path]:
    """A new folder, which is removed after the block if it still has its name.

    Args:
        parent: where it is; without one in the system's folder for such, for nobody else to read.

    Raises:
        OSError: it cannot be made; the error names `parent`.
    """
    mode = 0o777 if parent else 0o700
    with _new(parent or Path(tempfile.gettempdir()), "", lambda path: path.mkdir(mode)) as path:
        yield path


@contextmanager
def file(parent: Path, suffix: str) -> Iterator[Path]:
    """A new, empty file, which is removed after the block if it still has its name.

    Raises:
        OSError: it cannot be made; the error names `parent`.
    """
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY
    with _new(parent, suffix, lambda path: os.close(os.open(path, flags, 0o666))) as path:
        yield path


def lock(path: Path) -> int | None:
    """Locks a file or folder until the returned handle is closed, by whoever ends the process.

    Returns:
        The handle; `None` if it is locked already, or is not there.

    Raises:
        OSError: there are no locks here.
    """
    if fcntl is None:
        raise OSError("There are no locks here.")
    try:  # a link or a pipe of the same name is none of ours
        kind = os.O_RDONLY | os.O_DIRECTORY if path.is_dir() else os.O_RDWR | os.O_NONBLOCK
        handle = os.open(path, kind | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(handle), os.stat(path)):
            return handle
    except (BlockingIOError, FileNotFoundError):
        pass
    except OSError:
        os.close(handle)
        raise
    os.close(handle)
    return None


def sweep(parent: Path) -> None:
    """Removes what killed processes left in a folder."""
    for path in parent.glob(f"{_PREFIX}*"):
        try:
            handle = lock(path)
        except OSError:
            continue
        if handle is not None:
            _remove(path)
            os.close(handle)


@contextmanager
def _new(parent: Path, suffix: str, make: Callable[[Path], None]) -> Iterator[Path]:
    sweep(parent)
    handle = None
    while handle is None:
        # Not the target's name, which may be as long as names can be.
        path = parent / f"{_PREFIX}{secrets.token_hex(6)}{suffix}"
        try:
            make(path)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(parent)) from error
        try:
            handle = lock(path)  # `None` if it was swept away before it was locked
        except OSError:
            break
    try:
        yield path
    finally:
        _remove(path)
        if handle is not None:
            os.close(handle)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):  # another user's, or read-only by now: to be swept another time
            path.unlink(missing_ok=True)
