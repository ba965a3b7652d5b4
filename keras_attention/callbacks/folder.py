"""Checkpoints on the disk: a model's file each, and beside it a manifest, the last to appear.

    step-00000120.keras    the model after 120 batches, within an epoch
    step-00000120.npz      the state of what else takes part, if anything does
    step-00000120.json     what is needed to go on from there
    step-00000150-end.*    the same at the end of an epoch

A file without its manifest is no checkpoint: a save, or a removal, was killed.
"""

import hashlib
import json
import math
import os
import re
import tempfile
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import UnionType
from typing import Any

import keras
import numpy as np

from keras_attention import saving
from keras_attention.saving import DamagedFileError, FileError, NewerFileError, scratch
from keras_attention.saving.files import complete, sha256, write_text

FORMAT = 2  # 1 had no `state_sha256`
_COUNTS = ("step", "epoch", "position", "size", "format")
_KINDS: dict[str, type | UnionType] = {
    **dict.fromkeys(_COUNTS, int), "steps": int | None, "random": dict,
    "epoch_random": dict | None, "metrics": list, "logs": list, "seconds": int | float,
    "monitor": str | None, "value": int | float | None, "policy": str, "backend": str,
    "versions": dict, "sha256": str, "state_sha256": str,
}  # fmt: skip
_NAME = re.compile(r"step-(\d{8,})(-end)?")
_TEMPORARY = re.compile(r"\.step-\d{8,}(-end)?\..+")  # as earlier versions named them
_OWN = re.compile(r"\.?step-\d{8,}(-end)?\..+")


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a checkpoint holds beside the model.

    Attributes:
        step: batches trained since the beginning.
        epoch: the epoch to go on with, from 0.
        position: batches of it that are trained; 0 at the end of the epoch before.
        steps: batches per epoch, if known.
        random: the random states of the process when the checkpoint was written.
        epoch_random: those at the beginning of the epoch, when its order was drawn; within an
            epoch only.
        metrics: values of the metrics' variables; within an epoch only.
        logs: for each complete epoch its number, as `"epoch"`, and its logs.
        seconds: of training, this far.
        monitor, value: the log that decides which checkpoint is best, and what it was.
        policy, backend, versions: what wrote the checkpoint.
        size, sha256: of the model's file, in bytes.
        state_sha256: of the file with the state of what else takes part; empty if there is none.
        format: of the manifest.
    """

    step: int
    epoch: int
    position: int
    steps: int | None
    random: dict[str, Any]
    epoch_random: dict[str, Any] | None
    metrics: list[Any]
    logs: list[dict[str, Any]]
    seconds: float
    monitor: str | None
    value: float | None
    policy: str
    backend: str
    versions: dict[str, str]
    size: int = 0
    sha256: str = ""
    state_sha256: str = ""
    format: int = FORMAT

    @property
    def name(self) -> str:
        """Of the files, without suffix."""
        return f"step-{self.step:08d}" + ("" if self.position else "-end")

    def check(self) -> None:
        """Raises `DamagedFileError` for what no training has."""
        for name, kind in _KINDS.items():
            value = getattr(self, name)
            fits = isinstance(value, kind) and not isinstance(value, bool)
            if not fits or (name in _COUNTS and not 0 <= value < 2**63):
                raise DamagedFileError(f"Its manifest has {value!r:.80} as {name!r}.")
        if self.steps is not None and not self.position <= self.steps:
            raise DamagedFileError(f"It is after batch {self.position} of {self.steps}.")
        if not all(isinstance(logs, dict) and "epoch" in logs for logs in self.logs):
            raise DamagedFileError(f"Its manifest has {self.logs!r:.80} as 'logs'.")
        try:
            for value in self.metrics:
                np.asarray(value, "float64")
        except (TypeError, ValueError) as error:
            raise DamagedFileError(f"Its manifest has no numbers as 'metrics': {error}") from error

    def text(self) -> str:
        """JSON as Python writes it, NaN included, with a digest of its own."""
        content = dict(vars(self))
        content["digest"] = _digest(content)
        lines = (f"  {json.dumps(name)}: {json.dumps(value)}" for name, value in content.items())
        return "{\n" + ",\n".join(lines) + "\n}\n"


def read(path: Path) -> Manifest:
    """The manifest in a file.

    Raises:
        DamagedFileError: it is none, or was changed.
        NewerFileError: it has a format that this version does not know.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        digest = content.pop("digest")
        whole = digest == _digest(content)
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
        raise DamagedFileError(f"{path.name} is not a checkpoint's manifest: {error!r}") from error
    if not whole:
        raise DamagedFileError(f"{path.name} was changed: its digest does not fit.")
    known = content.get("format")
    if type(known) is not int:
        raise DamagedFileError(f"{path.name} has {known!r:.80} as its format.")
    if known > FORMAT:
        raise NewerFileError(
            f"{path} has format {known}; this version of keras_attention knows formats up to "
            f"{FORMAT}. Install a newer keras_attention."
        )
    try:
        manifest = Manifest(**content)
    except TypeError as error:  # other fields
        raise DamagedFileError(f"{path.name} is not a checkpoint's manifest: {error}") from error
    manifest.check()
    if manifest.name != path.stem:
        raise DamagedFileError(f"{path.name} is the manifest of {manifest.name}.")
    return manifest


class Claim:
    """That a folder is this process's. It ends with the last reference to it, or the process."""

    def __init__(self, handle: int) -> None:
        self.handle = handle

    def __del__(self) -> None:
        os.close(self.handle)


_claims: weakref.WeakValueDictionary[Path, Claim] = weakref.WeakValueDictionary()


def _forget_claims() -> None:
    """Leaves the folders to the parent: a worker that outlives it shall not keep them."""
    for claim in _claims.values():
        os.close(claim.handle)
        claim.handle = os.open(os.devnull, os.O_RDONLY)
    _claims.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_claims)


class Folder:
    """The checkpoints of one training."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._claim: Claim | None = None

    def claim(self) -> bool:
        """Keeps other processes out until `release`, where the folder's disk has locks.

        Returns:
            Whether no other process has the folder. This one may claim it several times: a
            training that was interrupted does not say so.
        """
        path = self.path.resolve()
        self._claim = _claims.get(path)
        if self._claim is None and path.is_dir():
            try:
                handle = scratch.lock(path)
            except OSError:
                return True
            if handle is None:
                return False
            self._claim = _claims[path] = Claim(handle)
        return True

    def release(self) -> None:
        """Lets other processes in."""
        self._claim = None

    def manifests(self) -> list[Path]:
        """The manifests, the oldest first; a checkpoint's model is `.with_suffix(".keras")`."""
        return sorted(self._files(".json"), key=_order)

    def prepare(self) -> None:
        """Makes the folder, sees that it can be written, removes what killed saves left.

        Models without manifests stay if there are no manifests at all: a copy without them may
        be all that somebody has.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=self.path):
            pass
        scratch.sweep(self.path)
        manifests = {path.stem for path in self.manifests()}
        for path in self.path.iterdir():
            orphan = path.suffix in (".keras", ".npz") and _NAME.fullmatch(path.stem)
            if _TEMPORARY.fullmatch(path.name) or (
                orphan and manifests and path.stem not in manifests
            ):
                path.unlink()

    def orphans(self) -> list[Path]:
        """Models without manifests."""
        manifests = {path.stem for path in self.manifests()}
        return [path for path in self._files(".keras") if path.stem not in manifests]

    def write(
        self, model: keras.Model, manifest: Manifest, state: Mapping[str, np.ndarray] | None = None
    ) -> None:
        """Adds a checkpoint, completely or not at all."""
        path = self.path / f"{manifest.name}.keras"
        beside = path.with_suffix(".npz")
        try:
            saving.save_model(model, path)
            written = replace(manifest, size=path.stat().st_size, sha256=sha256(path))
            if state is not None:
                with complete(beside) as temporary:
                    np.savez(temporary, allow_pickle=False, **state)
                written = replace(written, state_sha256=sha256(beside))
            write_text(path.with_suffix(".json"), written.text())
        except Exception:
            if not path.with_suffix(".json").exists():
                path.unlink(missing_ok=True)
                beside.unlink(missing_ok=True)
            raise

    def state(self, path: Path) -> dict[str, np.ndarray]:
        """What was written beside the model of a manifest."""
        with np.load(path.with_suffix(".npz"), allow_pickle=False) as file:
            return dict(file)

    def verified(self, path: Path) -> Manifest:
        """A manifest whose model is as it was written.

        Raises:
            DamagedFileError: it or the model was changed, or the model is not there.
        """
        manifest, model = read(path), path.with_suffix(".keras")
        if not model.exists():
            raise DamagedFileError(f"{model.name} is not there.")
        if model.stat().st_size != manifest.size:
            raise DamagedFileError(
                f"{model.name} has {model.stat().st_size:,} bytes; {manifest.size:,} were written."
            )
        if sha256(model) != manifest.sha256:
            raise DamagedFileError(f"{model.name} was changed: its sha256 does not fit.")
        beside = path.with_suffix(".npz")
        if manifest.state_sha256 and not beside.exists():
            raise DamagedFileError(f"{beside.name} is not there.")
        if manifest.state_sha256 and sha256(beside) != manifest.state_sha256:
            raise DamagedFileError(f"{beside.name} was changed: its sha256 does not fit.")
        return manifest

    def best(self, monitor: str, mode: str) -> Path | None:
        """The manifest with the lowest (`"min"`) or highest finite value, the first of equals."""
        values: dict[Path, float] = {}
        for path in self.manifests():
            try:
                manifest = read(path)
            except (FileError, OSError):
                continue
            value = manifest.value if manifest.monitor == monitor else None
            if value is not None and math.isfinite(value):
                values[path] = value
        return (min if mode == "min" else max)(values, key=values.__getitem__, default=None)

    def prune(self, keep: int, best: Path | None) -> None:
        """Removes all but the newest `keep` and the best."""
        for path in self.manifests()[:-keep]:
            if path != best:
                path.unlink()  # first, so that no manifest is ever without its model
                path.with_suffix(".keras").unlink(missing_ok=True)
                path.with_suffix(".npz").unlink(missing_ok=True)

    def clear(self) -> None:
        """Removes all checkpoints, damaged ones and what killed saves left included."""
        files = [path for path in self.path.glob("*") if _OWN.fullmatch(path.name)]
        for path in sorted(files, key=lambda path: path.suffix != ".json"):
            path.unlink()

    def set_aside(self, path: Path) -> None:
        """Renames a damaged checkpoint's files, so that they count no more and nothing is lost."""
        for file in (path, path.with_suffix(".keras"), path.with_suffix(".npz")):
            if os.path.lexists(file):  # a link that points nowhere too
                file.rename(file.with_name(f"{file.name}.damaged"))

    def _files(self, suffix: str) -> list[Path]:
        if not self.path.exists():
            return []
        return [
            path
            for path in self.path.iterdir()
            if path.suffix == suffix and _NAME.fullmatch(path.stem)
        ]


def _order(path: Path) -> tuple[int, bool]:
    match = _NAME.fullmatch(path.stem)
    assert match is not None
    return int(match[1]), match[2] is not None


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
