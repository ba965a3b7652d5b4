"""The folder in which a recipe's training leaves checkpoints, and what tells whose they are."""

import json
from pathlib import Path
from typing import Any

import keras_attention as ka
from keras_attention.saving.files import write_json

KEEP = 2  # so that there is one to go back to if the newest is damaged
_FILE = "training.json"  # what is trained here, and whether it came to its end


def begin(
    training: dict[str, Any], folder: Path, *, resume: bool, state: Any = None
) -> ka.callbacks.Checkpoint:
    """Returns the callback that writes checkpoints to `folder`, or continues from those in it.

    Args:
        training: what tells this training from others, as JSON can hold it.
        folder: of the checkpoints. Those of a training that came to its end make room.
        resume: continue, from the beginning if there are no checkpoints.
        state: what has a state beside the model, see `Checkpoint`.

    Raises:
        ValueError: the checkpoints are of a training that was interrupted, and `resume` is
            `False`; or they are of another training than this, or it cannot be told.
    """
    file = folder / _FILE
    known = _read(file) if file.exists() else {"training": training}
    checkpoint = ka.callbacks.Checkpoint(folder, keep=KEEP, resume=resume, state=state)
    if not resume:
        if checkpoint.latest and not known.get("complete"):
            raise ValueError(
                f"{folder} holds checkpoints of a training that was interrupted. Continue it "
                "with --resume, or delete that folder to start over."
            )
        checkpoint.clear()
    elif known["training"] != training:
        changes = ", ".join(
            f"{name}={known['training'].get(name)!r} there, {value!r} here"
            for name, value in training.items()
            if known["training"].get(name) != value
        )
        raise ValueError(f"{folder} holds checkpoints of another training: {changes}.")
    write_json(file, {"training": training, "complete": False})
    return checkpoint


def _read(file: Path) -> dict[str, Any]:
    try:
        known = json.loads(file.read_text(encoding="utf-8"))
        if isinstance(known["training"], dict):
            return known
        fault = f"it has {known['training']!r:.80} as 'training'"
    except (KeyError, RecursionError, TypeError, ValueError) as error:
        fault = repr(error)
    raise ValueError(
        f"{file} is damaged: {fault}. It says which training the checkpoints beside it are of. If "
        f"you know that they are of this one, delete {file} and continue with --resume; else "
        f"delete {file.parent} to start over."
    )


def complete(training: dict[str, Any], folder: Path) -> None:
    """Notes that a training came to its end; its checkpoints stay until the next begins."""
    write_json(folder / _FILE, {"training": training, "complete": True})
