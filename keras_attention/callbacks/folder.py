"""Checkpoints on the disk: a model's file each, and beside it a manifest, the last to appear.

    step-00000120.keras    the model after 120 batches, within an epoch
    step-00000120.npz      the state of what else takes part, if anything does
    step-00000120.json     what is needed to go on from there
    step-00000150-end.*    the same at the end of an epoch

A file without its manifest is no checkpoint: a save, or a removal, was killed.
"""

import math
import os
import re
import tempfile
import weakref
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np

from keras_attention import saving
from keras_attention.callbacks.manifest import Manifest, read
from keras_attention.saving import DamagedFileError, FileError, scratch
from keras_attention.saving.files import complete, sha256, write_text

_NAME = re.compile(r"step-(\d{8,})(-end)?")
_TEMPORARY = re.compile(r"\.step-\d{8,}(-end)?\..+")  # as earlier versions named them
_OWN = re.compile(r"\.?step-\d{8,}(-end)?\..+")


class Claim:
    """A process's right to a folder. It ends with the last reference to it, or the process."""

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
        """The arrays that were written beside the model of a manifest."""
        with np.load(path.with_suffix(".npz"), allow_pickle=False) as file:
            return dict(file)

    def verified(self, path: Path) -> Manifest:
        """Returns a manifest whose model is as it was written.

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
