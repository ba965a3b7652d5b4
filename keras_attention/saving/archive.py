"""The members of a `.keras` file, or of a folder of them, read with nothing taken on trust."""

import errno
import hashlib
import io
import json
import os
import re
import shutil
import stat
import struct
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, BinaryIO

from keras_attention.saving.errors import DamagedFileError, FileError, RefusedFileError, cause
from keras_attention.saving.files import list_digest
from keras_attention.saving.limits import MIB, Limits, exceeded

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
TRAINING = "training.json"  # ours; Keras leaves it alone
ASSETS = "assets/"
REQUIRED = (METADATA, CONFIG, WEIGHTS)
_MEMBERS = 1000
_CHUNK = MIB  # bytes that are copied at a time: what a processor keeps close
# Of names that no file can have, or that are a file's and a folder's.
_NO_NAME = (errno.EEXIST, errno.EISDIR, errno.ENAMETOOLONG, errno.ENOTDIR)
_END = struct.Struct("<10xHI6x")  # the last record: number of members, bytes of their directory
_END_64, _LOCATOR = struct.Struct("<32xQQ8x"), 20  # the same of a large file, before a pointer
_ASSET_NAME = re.compile(r"assets(/[A-Za-z0-9_\- ]+(\.[A-Za-z0-9_\-]+)*)+")


@dataclass(frozen=True)
class Archive:
    """A model as a file holds it, in a folder of this process where nobody else changes it.

    Attributes:
        folder: has the members as files, as Keras lays a folder out.
        names: of the members: `config.json`, `metadata.json`, `model.weights.h5`, perhaps
            `training.json`, and what is under `assets/`.
    """

    folder: Path
    names: Sequence[str]

    @property
    def weights(self) -> Path:
        """The file of weights."""
        return self.folder / WEIGHTS

    @property
    def assets(self) -> list[str]:
        return [name for name in self.names if name.startswith(ASSETS)]

    def write(self, path: str | Path) -> None:
        """Writes a `.keras` file that Keras reads."""
        with zipfile.ZipFile(path, "w") as file:
            for name in self.names:
                info = zipfile.ZipInfo(name)  # of 1980; a clock may be out of a zip file's range
                info.external_attr = 0o600 << 16
                info.file_size = (self.folder / name).stat().st_size
                with (self.folder / name).open("rb") as source, file.open(info, "w") as target:
                    shutil.copyfileobj(source, target, _CHUNK)

    def write_folder(self, path: str | Path) -> None:
        """Writes the members as the files of a folder, which Keras reads too."""
        for name in self.names:
            target = Path(path) / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self.folder / name, target)

    def put_json(self, name: str, content: Any) -> "Archive":
        """Returns the archive with a member of that name, in place of one that was there."""
        (self.folder / name).write_text(json.dumps(content), encoding="utf-8")
        return Archive(self.folder, list(dict.fromkeys([*self.names, name])))

    def json(self, name: str) -> Any:
        """A member as JSON.

        Raises:
            DamagedFileError: it is none, or has NaN, an infinity or a key twice.
        """
        try:
            return json.loads(
                (self.folder / name).read_bytes(),
                parse_constant=_no_constant,
                parse_float=_finite,
                object_pairs_hook=_no_twins,
            )
        except RecursionError as error:
            raise RefusedFileError(f"{name} is nested too deeply to be read.") from error
        except ValueError as error:  # also of bytes that are no UTF-8
            raise DamagedFileError(f"{name} is not JSON as Keras writes it: {error}") from cause(
                error
            )


def find(folder: Path) -> Archive:
    """Returns the archive in a folder that Keras wrote."""
    names = list(files_of(folder))
    for name in names:
        _check_name(name)
    return Archive(folder, names)


def unpack(path: str | Path, folder: Path, limits: Limits, *, sha256: str | None = None) -> Archive:
    """Returns the members of a `.keras` file, or of a folder in Keras's layout.

    They are read once and written once, piece by piece: memory for the file is not needed.

    Args:
        path: of the file or folder.
        folder: an empty one of this process, which gets the members.
        limits: of sizes.
        sha256: the digest, as `digest` gives it, of what is read here and nowhere again.

    Raises:
        FileNotFoundError: there is nothing at `path`.
        DamagedFileError: it is no such file, or not whole.
        RefusedFileError: it has members that it should not have, is too large, or has another
            digest.
        OSError: the disk of `folder` is full.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"There is no file {path}.")
    try:
        pieces = (_read_folder if path.is_dir() else _read_file)(path, limits, sha256)
        names = _write_members(pieces, folder)
        absent = [name for name in REQUIRED if name not in names]
        if absent:
            raise DamagedFileError(f"It lacks {' and '.join(absent)}.")
    except FileError as error:
        raise error.of(path) from error.__cause__
    return Archive(folder, names)


def _write_members(pieces: Iterable[tuple[str, bytes]], folder: Path) -> list[str]:
    """Writes members to a folder and returns their names.

    Args:
        pieces: name and content; one member follows the other.
        folder: to write to.
    """
    names = []
    for name, parts in groupby(pieces, itemgetter(0)):
        target = folder / name
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            file = target.open("xb", buffering=0)
        except OSError as error:
            if error.errno not in _NO_NAME:
                raise
            raise RefusedFileError(
                f"It has a member {name[:200]!r}, which cannot be a file beside the others."
            ) from None
        with file:
            for _, part in parts:
                file.write(part)
        names.append(name)
    return names


def _check_digest(digest: str, sha256: str) -> None:
    if digest != sha256.lower():
        raise RefusedFileError(
            f"Its SHA-256 is {digest}, and {sha256} was asked for.",
            "Get the file again, or find out who changed it.",
        )


def _read_file(path: Path, limits: Limits, sha256: str | None) -> Iterator[tuple[str, bytes]]:
    """Yields the members of a `.keras` file, each in pieces."""
    if not path.is_file():
        raise DamagedFileError("It is not a regular file.")
    with path.open("rb") as opened:
        size = os.fstat(opened.fileno()).st_size
        if size > limits.file_bytes:
            raise exceeded("The file's size", f"{size:,} bytes", "file_bytes", limits.file_bytes)
        if sha256 is None:
            yield from _read_zip(opened, limits)
            return
        content = opened.read()  # or another could be unpacked than what has the digest
    _check_digest(hashlib.sha256(content).hexdigest(), sha256)
    yield from _read_zip(io.BytesIO(content), limits)


def _read_zip(opened: BinaryIO, limits: Limits) -> Iterator[tuple[str, bytes]]:
    _check_type(opened)
    _check_directory(opened)
    try:
        with zipfile.ZipFile(opened) as file:
            _check_members(file, limits)
            for info in file.infolist():
                yield info.filename, b""
                with file.open(info) as member:
                    while piece := member.read(_CHUNK):
                        yield info.filename, piece
    except FileError:
        raise
    except zipfile.BadZipFile as error:
        what = "A member was changed" if "CRC" in str(error) else "The file is truncated or changed"
        raise DamagedFileError(
            f"{what} ({error}). Get it again, or load an earlier copy."
        ) from cause(error)
    except Exception as error:  # zipfile and zlib have many kinds for bytes that make no sense
        raise DamagedFileError(f"Its archive cannot be read: {error!r}.") from cause(error)


def _check_type(opened: BinaryIO) -> None:
    """Refuses a file that is no zip file, and says what it is."""
    start = opened.read(8)
    if not start:
        raise DamagedFileError("The file is empty.")
    if start == b"\x89HDF\r\n\x1a\n":
        raise DamagedFileError(
            "It is an HDF5 file: weights alone, or a model in Keras's old format. Use "
            "`model.load_weights`, or `keras.saving.load_model` if you trust it."
        )
    if start[:4] != b"PK\x03\x04":
        raise DamagedFileError("It is not a `.keras` file: it does not begin as a zip file does.")


def _check_directory(opened: BinaryIO) -> None:
    """Refuses a directory that is long, before it is read, and a file that does not end with it."""
    size = opened.seek(0, os.SEEK_END)
    end = opened.seek(max(0, size - _END.size))
    tail = opened.read()
    if not tail.startswith(b"PK\x05\x06") or len(tail) < _END.size:
        raise DamagedFileError(
            "The file is truncated, or something was added to its end. Get it again, or load "
            "an earlier copy."
        )
    count, length = _END.unpack(tail)
    if count == 0xFFFF or length == 0xFFFFFFFF:  # a larger file, and zipfile looks further
        opened.seek(max(0, end - _END_64.size - _LOCATOR))
        count, length = _END_64.unpack(opened.read(_END_64.size))
    if count > _MEMBERS or length > MIB:
        raise RefusedFileError(f"It has {count:,} members, in a directory of {length:,} bytes.")


def _check_members(file: zipfile.ZipFile, limits: Limits) -> None:
    """Refuses members by their entries, before any is expanded."""
    infos = file.infolist()
    seen: set[str] = set()
    for info in infos:
        name = info.filename
        _check_name(name)
        if name in seen:
            raise RefusedFileError(f"It has {name!r} twice.")
        seen.add(name)
        if info.flag_bits & 0x1:
            raise RefusedFileError(f"{name!r} is encrypted.")
        if stat.S_ISLNK(info.external_attr >> 16):
            raise RefusedFileError(f"{name!r} is a link.")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise RefusedFileError(f"{name!r} is compressed by method {info.compress_type}.")
        _check_size(name, info.file_size, limits)
        if info.file_size > max(MIB, limits.expansion * info.compress_size):
            times = f"{info.file_size:,} bytes out of {info.compress_size:,}"
            raise exceeded(f"What {name!r} expands to", times, "expansion", limits.expansion)
    _check_total(sum(info.file_size for info in infos), limits)
    end = 0
    for info in sorted(infos, key=lambda info: info.header_offset):
        if info.header_offset < end or (not end and info.header_offset):
            raise RefusedFileError(f"{info.filename!r} shares its bytes with others.")
        end = info.header_offset + 30 + len(info.filename) + info.compress_size


def _check_name(name: str) -> None:
    if name in (*REQUIRED, TRAINING) or _ASSET_NAME.fullmatch(name):
        return
    if name == "model.weights.npz":
        raise RefusedFileError(
            "Its weights are in NumPy's format.", "Save it anew with `ka.save_model`."
        )
    raise RefusedFileError(f"It has a member {name[:200]!r}, which no `.keras` file has.")


def _check_size(name: str, size: int, limits: Limits) -> None:
    limit = "asset_bytes" if name.startswith(ASSETS) else "config_bytes"
    if name != WEIGHTS and size > getattr(limits, limit):
        actual = f"{size:,} bytes"
        raise exceeded(f"The size of {name!r}", actual, limit, f"{getattr(limits, limit):,}")


def _check_total(total: int, limits: Limits) -> None:
    if total > limits.expanded_bytes:
        raise exceeded("Its size", f"{total:,} bytes", "expanded_bytes", limits.expanded_bytes)


def _read_folder(path: Path, limits: Limits, sha256: str | None) -> Iterator[tuple[str, bytes]]:
    """Yields the members in a folder; other files in it, such as a model card, are left alone."""
    files = files_of(path)
    sizes = {name: file.stat().st_size for name, file in files.items()}
    for name, size in sizes.items():
        _check_name(name)
        _check_size(name, size, limits)
    _check_total(sum(sizes.values()), limits)
    digests = {}
    for name, file in files.items():
        left, digest = sizes[name], hashlib.sha256()
        yield name, b""
        with file.open("rb") as opened:
            while piece := opened.read(min(_CHUNK, left)):
                left -= len(piece)
                if sha256 is not None:
                    digest.update(piece)
                yield name, piece
        digests[name] = digest.hexdigest()
    if sha256 is not None:
        _check_digest(list_digest(digests), sha256)


def files_of(folder: Path) -> dict[str, Path]:
    """The files of a model in a folder, by name and sorted by it.

    Raises:
        RefusedFileError: one is a link that leaves the folder, or no regular file, or has a name
            of more than one line.
    """
    files = {name: folder / name for name in (*REQUIRED, TRAINING) if _is_there(folder / name)}
    for asset in (folder / ASSETS).rglob("*"):
        if asset.is_symlink() or not asset.is_dir():
            files[asset.relative_to(folder).as_posix()] = asset
    root = folder.resolve()
    for name, file in files.items():
        if not name.isprintable():  # it would look like other lines to `digest`
            raise RefusedFileError(f"It has a file with the name {name!r}.")
        _check_link(name, file, root)
        if not file.is_file():
            raise RefusedFileError(f"{name!r} is not a regular file.")
    return dict(sorted(files.items()))


def _is_there(path: Path) -> bool:
    return path.exists() or path.is_symlink()


def _check_link(name: str, file: Path, folder: Path) -> None:
    """Refuses a way out of the folder, but for that of the Hub's cache to what it downloaded."""
    target = file.resolve()
    cached = folder.parent.name == "snapshots" and target.parent == folder.parent.parent / "blobs"
    if not cached and not target.is_relative_to(folder):
        raise RefusedFileError(
            f"{name!r} is a link to {target}, outside the folder.",
            "If you trust it, copy that file into the folder.",
        )


def _no_constant(name: str) -> None:
    raise ValueError(f"it has {name}")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"it has the number {text[:50]}")
    return number


def _no_twins(pairs: list[tuple[str, Any]]) -> Mapping[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        raise ValueError("it has a key twice")
    return content
