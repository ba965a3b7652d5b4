"""Writing a model so that every backend can read it and go on training it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

from keras_attention.saving import archive, frozen, hub, training
from keras_attention.saving import card as model_card
from keras_attention.saving.archive import Archive
from keras_attention.saving.config import portable
from keras_attention.saving.files import complete, complete_folder, flush
from keras_attention.saving.limits import Limits
from keras_attention.saving.scratch import scratch

_OWN = Limits(file_bytes=2**63, expanded_bytes=2**63, config_bytes=2**31)


def save_model(
    model: keras.Model,
    path: str | Path,
    *,
    card: Mapping[str, Any] | str | Path | None = None,
) -> str:
    """Saves a model ready for any backend: as a file, a folder, or on the Hugging Face Hub.

    Unlike `model.save` it leaves what was there as it was if anything fails, at whatever
    moment. It names the optimizer as every backend knows it, and keeps what Keras drops: the
    random states, what is frozen inside layers, and which variables are not decayed.
    `keras.saving.load_model` reads it too.

    ```python
    ka.save_model(model, "runs/iris/model.keras", card="runs/iris/metrics.json")
    ka.save_model(model, "hf://user/name", card="runs/iris/metrics.json")
    ```

    Args:
        model: any Keras model. If it is compiled, `ka.load_model(path, resume=True)` goes on.
        path: ends in `.keras`, or is a folder, or `hf://user/name`; missing folders are made.
            A folder that is there must be one of a model, which this one replaces.
        card: the content of a training's `metrics.json`, or its path. It becomes a model card:
            `x.md` beside `x.keras`, `README.md` in a folder and on the Hub.

    Returns:
        What `ka.load_model` loads it from: `path`, on the Hub with the commit.

    Raises:
        ValueError: `path` has another suffix, or is a folder of something else.
        OSError: the disk is full, or the folder may not be written to.
        ConnectionError, PermissionError: of the Hub, see `ka.saving.hub.upload`.
    """
    metrics: Mapping[str, Any] | None
    if isinstance(card, str | Path):
        metrics = json.loads(Path(card).read_text(encoding="utf-8"))
    else:
        metrics = card
    if str(path).startswith(hub.SCHEME):
        address = hub.parse(str(path))
        with scratch() as folder:
            _archive(model).write_folder(folder)
            model_card.write(folder, metrics or {}, url=f"{hub.SCHEME}{address.repository}")
            commit = hub.upload(folder, str(path), message="Save model")
        return f"{hub.SCHEME}{address.repository}@{commit}"
    path = Path(path)
    if path.suffix == ".keras":
        with complete(path) as temporary:
            _archive(model).write(temporary)
            flush(temporary)
            archive.read(temporary, _OWN)  # what was written, by its checksums
    elif path.suffix:
        raise ValueError(f"`path` must end in .keras, or be a folder. Received: path={path}")
    else:
        with complete_folder(path, holds=archive.CONFIG) as temporary:
            _archive(model).write_folder(temporary)
    if metrics is not None:
        model_card.write(path, metrics)
    return str(path)


def _archive(model: keras.Model) -> Archive:
    """What Keras saves, in the words of no backend, with the state of the training."""
    with scratch() as folder:
        model.save(folder / "model.keras")
        saved = archive.read(folder / "model.keras", _OWN)
    config = portable(saved.json(archive.CONFIG))
    if config.get("compile_config"):
        config["compile_config"]["jit_compile"] = "auto"  # not what this backend made of it
    frozen.write(model, config)
    saved.members[archive.CONFIG] = json.dumps(config).encode()
    if model.compiled:
        saved.members[archive.TRAINING] = json.dumps(training.state_of(model)).encode()
    return saved
