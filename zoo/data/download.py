"""Files of datasets: fetched once from where they were published, and checked each time."""

import http.client
import os
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from keras_attention.saving.files import sha256
from zoo.progress import Progress

VARIABLE = "KERAS_ATTENTION_DATA"
MAX_BYTES = 2**32
_SECONDS = 60.0  # that a server may be silent
_ATTEMPTS, _PAUSE = 3, 2.0  # seconds before the second attempt, twice that before the third


@dataclass(frozen=True, kw_only=True)
class File:
    """One published file.

    Attributes:
        url: where it is, at a pinned version.
        sha256: of its bytes; `None` where only the URL's version is pinned.
        name: in the cache; the last part of the URL by default.
    """

    url: str
    sha256: str | None
    name: str = ""


def root() -> Path:
    """Returns the folder of all datasets: `KERAS_ATTENTION_DATA`, or `~/.cache/keras_attention`."""
    return Path(os.environ.get(VARIABLE) or "~/.cache/keras_attention").expanduser()


def fetch(dataset: str, file: File) -> Path:
    """Returns the path of a file of the right content, and downloads it if it is not there.

    A file that is there may be in a folder that cannot be written to. One that is being
    downloaded gets its name when it is complete.

    Args:
        dataset: the file's folder in `root()`, with `/` where it is a deeper one.
        file: what to fetch.

    Raises:
        ConnectionError: it is not there and cannot be downloaded.
        ValueError: what the URL gives is not the file that was published, or does not end.
        OSError: the folder cannot be written to.
    """
    path = root() / dataset / (file.name or file.url.rpartition("/")[2])
    if path.exists() and file.sha256 in (None, sha256(path)):
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    if not os.access(path.parent, os.W_OK):
        raise PermissionError(
            f"{path} is not there with the right content, and its folder cannot be written to. "
            f"Set {VARIABLE} to another folder."
        )
    part = _download(dataset, file, path)
    received = sha256(part)
    if file.sha256 not in (None, received):
        part.unlink()
        raise ValueError(
            f"{file.url} is not the file that was published: its SHA-256 is {received}, expected "
            f"{file.sha256}. Something on the way changed it; try another network."
        )
    os.replace(part, path)
    return path


def _download(dataset: str, file: File, path: Path) -> Path:
    """Downloads a file to a name of its own beside `path`, and returns that."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    for attempt in range(_ATTEMPTS):
        if attempt:
            time.sleep(_PAUSE * attempt)
        try:
            _receive(file.url, part)
            return part
        except (OSError, http.client.HTTPException) as error:
            part.unlink(missing_ok=True)
            last = error
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    raise ConnectionError(
        f"{path} is not there, and {file.url} cannot be downloaded ({last}). Without a network, "
        f"put the file there by hand, or set {VARIABLE} to a folder that has "
        f"{dataset}/{path.name}."
    ) from last


def _receive(url: str, part: Path) -> None:
    """Writes what a server sends, whole and not more than `MAX_BYTES`."""
    with urllib.request.urlopen(url, timeout=_SECONDS) as source, part.open("wb") as target:
        length = source.headers.get("Content-Length")
        size = int(length) if length and length.isdecimal() else None
        print(f"Downloading {url}" + (f", {size / 2**20:.1f} MiB" if size else ""), flush=True)
        received = 0
        mebibytes = None if size is None else -(-size // 2**20)
        with Progress("Downloaded", mebibytes, unit="MiB") as progress:
            while piece := source.read(2**20):
                received += len(piece)
                if received > MAX_BYTES:
                    raise ValueError(
                        f"{url} gives more than {MAX_BYTES:,} bytes, which no file of the zoo has."
                    )
                target.write(piece)
                progress.advance()
    if size is not None and received < size:
        raise ConnectionError(f"it ended after {received:,} of {size:,} bytes")
