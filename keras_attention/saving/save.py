"""Writing a model so that every backend can read it and go on training it."""

import os
import re
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import keras

from keras_attention.saving import archive, frozen, hub, scratch, training, weights
from keras_attention.saving import card as model_card
from keras_attention.saving.archive import Archive
from keras_attention.saving.config import portable
from keras_attention.saving.files import complete, complete_folder

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")


def save_model(
    model: keras.Model,
    path: str | Path,
    *,
    card: Mapping[str, Any] | str | Path | None = None,
    weights_dtype: str | None = None,
) -> str:
    """Saves a model ready for any backend: as a file, a folder, or on the Hugging Face Hub.

    Unlike `model.save` it leaves what was there as it was if anything fails, at whatever
    moment; permissions and links stay as they are. It names the optimizer as every backend
    knows it, and keeps what Keras drops: the random states, what is frozen inside layers, and
    which variables are not decayed. `keras.saving.load_model` reads it too.

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
        weights_dtype: `"float16"` keeps matrices in 16 bits, in a file half as large. The model
            that is loaded computes in its own type as before, with weights that were rounded.

    Returns:
        What `ka.load_model` loads it from: `path`, on the Hub with the commit.

    Raises:
        TypeError: `model` is none, or what `card` holds.
        ValueError: `path` has another suffix, or is a folder of something else; `card` is the
            path of a file that is not JSON; or `weights_dtype` is another, or does not hold all
            weights.
        OSError: the disk is full, or the folder may not be written to.
        ConnectionError, PermissionError: of the Hub, see `ka.saving.hub.upload`.
    """
    if not isinstance(model, keras.Model):
        raise TypeError(f"`model` must be a `keras.Model`. Received: {model!r:.200}")
    if weights_dtype not in (None, "float16"):
        raise ValueError(
            f"`weights_dtype` must be 'float16' or None. Received: weights_dtype={weights_dtype!r}"
        )
    metrics = None if card is None else model_card.metrics_of(card)
    if str(path).startswith(hub.SCHEME):
        address = hub.parse(str(path))
        with scratch.folder() as folder:
            _save(model, folder, weights_dtype)
            model_card.write(folder, metrics or {}, url=f"{hub.SCHEME}{address.repository}")
            commit = hub.upload(folder, str(path), message="Save model")
        return f"{hub.SCHEME}{address.repository}@{commit}"
    if not str(path) or _SCHEME.match(str(path)):
        raise ValueError(
            "`path` must be that of a file or folder, or begin with hf:// as a string. Received: "
            f"path={path!r}"
        )
    path = Path(path)
    if path.suffix not in ("", ".keras"):
        raise ValueError(f"`path` must end in .keras, or be a folder. Received: path={path}")
    # A refused card replaces nothing; the model gets its name first, and then the card.
    with ExitStack() as stack:
        if not path.suffix:
            temporary = stack.enter_context(complete_folder(path, holds=archive.CONFIG))
            card_path = temporary / hub.CARD
        else:
            if metrics is not None:
                card_path = stack.enter_context(complete(path.with_suffix(".md")))
            temporary = stack.enter_context(complete(path))
        with scratch.folder() as folder:
            saved = _save(model, folder, weights_dtype)
            (saved.write if path.suffix else saved.write_folder)(temporary)
        if metrics is not None:
            text = model_card.describe(temporary, metrics, path=path)
            card_path.write_text(text, encoding="utf-8")
    return str(path)


def _save(model: keras.Model, folder: Path, weights_dtype: str | None) -> Archive:
    """Writes the members that Keras saves, in no backend's words, with the training's state."""
    # Not as a `.keras` file, which no clock before 1980 lets Keras write.
    try:
        model.save(folder, zipped=False)
    except RuntimeError as error:
        number = re.search(r"errno = (\d+)", str(error))
        if number is None:
            raise
        # HDF5 has an error of its own for a full disk, and pages of words.
        code = int(number[1])
        raise OSError(code, os.strerror(code), str(folder)) from error
    saved = archive.find(folder)
    config = portable(saved.json(archive.CONFIG))
    if settings := config.get("compile_config"):
        settings["jit_compile"] = "auto"  # not what this backend made of it
        if model.optimizer is not None:
            # Keras saves the one that `compile` got, and none once it wrote the model as `.h5`.
            settings["optimizer"] = portable(keras.saving.serialize_keras_object(model.optimizer))
    frozen.write(model, config)
    if weights_dtype:
        weights.narrow(saved.weights, weights_dtype)
    if model.compiled:
        saved = saved.put_json(archive.TRAINING, training.state_of(model))
    return saved.put_json(archive.CONFIG, config)
