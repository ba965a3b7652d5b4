"""The manifest of a checkpoint: what is needed to go on from there, beside the model."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Any

import numpy as np

from keras_attention.saving import DamagedFileError, NewerFileError

FORMAT = 2  # 1 had no `state_sha256`
_COUNTS = ("step", "epoch", "position", "size", "format")
_KINDS: dict[str, type | UnionType] = {
    **dict.fromkeys(_COUNTS, int), "steps": int | None, "random": dict,
    "epoch_random": dict | None, "metrics": list, "logs": list, "seconds": int | float,
    "monitor": str | None, "value": int | float | None, "policy": str, "backend": str,
    "versions": dict, "sha256": str, "state_sha256": str,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """All that a checkpoint holds beside the model.

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
        """The manifest as JSON of Python's kind, NaN included, with a digest of its own."""
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


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
