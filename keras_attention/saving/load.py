"""Reading a model from a file that may come from a stranger."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras

from keras_attention.saving import archive, frozen, graph, hub, resuming, scratch, training, weights
from keras_attention.saving.archive import Archive
from keras_attention.saving.budget import budget
from keras_attention.saving.config import Checker
from keras_attention.saving.errors import (
    DamagedFileError,
    FileError,
    NewerFileError,
    RefusedFileError,
    cause,
)
from keras_attention.saving.limits import DEFAULT, Limits

# How Keras says that it does not know a name.
_UNKNOWN = re.compile(r"Could not (interpret|locate|find|deserialize)|Unknown|[Uu]nrecognized")


def load_model(
    path: str | Path,
    *,
    resume: bool = False,
    allow: Sequence[type | Callable] = (),
    limits: Limits = DEFAULT,
    revision: str | None = None,
    sha256: str | None = None,
) -> keras.Model:
    """A model from a `.keras` file, a folder or the Hugging Face Hub, safe by default.

    Unlike `keras.saving.load_model` it looks at the whole file before it builds anything:
    members, configuration and weights. What it builds are Keras's own layers and this
    package's, without `Lambda` and all else that brings code or reads other files, and no more
    of them than the file has weights for.

    ```python
    model = ka.load_model("shared.keras")
    model = ka.load_model("mine.keras", allow=[MyLayer])
    model = ka.load_model("hf://user/name", revision="v1.0")
    ```

    Args:
        path: a `.keras` file; a folder that holds its members; or `hf://user/name`,
            `hf://user/name@revision` or `hf://user/name/file.keras`.
        resume: whether to give the model back its optimizer, so that `fit` goes on as if it had
            not stopped, on any backend. If the file is of `ka.save_model` or of a checkpoint,
            this sets the random states of the layers, of Python, of NumPy and of the backend
            too, to what the file says: resume what you would go on with yourself. Otherwise the
            model is not compiled, and no random state is set.
        allow: classes and functions beyond those, which the file may name.
        limits: of sizes, see `ka.saving.Limits`.
        revision: branch, tag or commit of `hf://`.
        sha256: the digest that `ka.saving.digest` must give for the file or folder.

    Raises:
        FileNotFoundError: there is no such file.
        DamagedFileError: it is truncated, changed, or of another type.
        NewerFileError: it has a format that this version does not know.
        RefusedFileError: it holds something that a file from a stranger may not. The message
            says what, and how to allow it.
    """
    location = Path(path)
    if str(path).startswith(hub.SCHEME):
        location = hub.download(str(path), revision=revision, limits=limits)
    elif revision is not None:
        raise ValueError(
            f"`revision` belongs to a path that begins with hf://. Received: path={path}, "
            f"revision={revision}"
        )
    with scratch.folder() as folder:  # so that nobody changes what was checked
        saved = archive.unpack(location, folder, limits, sha256=sha256)
        try:
            return _model(saved, Checker(allow, limits), limits, resume=resume)
        except FileError as error:
            raise error.of(path) from error.__cause__


def _model(saved: Archive, checker: Checker, limits: Limits, *, resume: bool) -> keras.Model:
    age = _age(saved)
    config = saved.json(archive.CONFIG)
    if not isinstance(config, dict) or "class_name" not in config:
        raise DamagedFileError("config.json is not that of a model.")
    compile_config = config.pop("compile_config", None)
    flags = frozen.read(config)
    config = checker.check(config)
    _check_assets(saved, checker)
    graph.check(config, limits)
    stored = weights.read(saved.weights, limits, optimizer=resume)
    if resume:
        if not compile_config or not isinstance(compile_config, dict):
            raise RefusedFileError(
                "It was saved without a training: there is nothing to resume.",
                "Load it without `resume`, and compile it.",
            )
        compile_config = checker.check(compile_config)
        state = training.read(saved)
    checker.check_sizes(stored.size)
    _prepare(saved, config)
    with budget(stored.size, limits) as spent:
        # All weights come from the file, but for what a class of the caller's may leave out.
        spent.blank = not checker.classes & checker.allowed.keys()
        try:
            model = _build(saved.folder, checker.custom_objects)
            frozen.restore(model, flags)
            if not limits.non_finite:
                weights.check_finite(model, stored.largest)
            if resume:
                spent.blank = False
                resuming.resume(model, compile_config, stored, state, checker.custom_objects)
        except Exception as error:  # of whatever kind Keras or its backend has for it
            if spent.refusal:
                raise spent.refusal from cause(error)
            if isinstance(error, FileError):
                raise
            raise DamagedFileError(
                f"No model can be built of it{age}: {_reason(error)}"
            ) from cause(error)
    return model


def _prepare(saved: Archive, config: dict[str, Any]) -> None:
    """Leaves in the folder what was checked, and what Keras knows."""
    saved.put_json(archive.CONFIG, config)
    (saved.folder / archive.TRAINING).unlink(missing_ok=True)


def _build(folder: Path, custom_objects: dict[str, Any]) -> keras.Model:
    """Returns the model that Keras makes of the checked members."""
    model = keras.saving.load_model(folder, custom_objects=custom_objects, compile=False)
    if not isinstance(model, keras.Model):
        raise RefusedFileError(f"It holds a {type(model).__name__}, not a model.")
    return model


def _reason(error: Exception) -> str:
    """Returns Keras's reason, without the configurations that it repeats for each outer layer."""
    classes = re.findall(r"deserializing class '(\w+)'", str(error))
    reason = str(error).rpartition("Exception encountered: ")[2].strip()
    if classes:
        reason = f"{classes[-1]}: {reason}"
    if _UNKNOWN.search(reason):
        reason = (
            reason.rstrip(".")
            + ". If it is your own and you trust the file, import it and pass `allow=[it]`."
        )
    return reason


def _age(saved: Archive) -> str:
    """Says so if the file's Keras is newer than this one, and refuses another generation's."""
    metadata = saved.json(archive.METADATA)
    version = metadata.get("keras_version") if isinstance(metadata, dict) else None
    match = re.match(r"(\d+)\.(\d+)", version) if isinstance(version, str) else None
    if match is None:
        raise DamagedFileError("metadata.json does not tell the version of Keras.")
    major, minor = map(int, match.groups())
    here = [int(part) for part in keras.__version__.split(".")[:2]]
    if major > here[0]:
        raise NewerFileError(f"It was saved by Keras {version}; this is Keras {keras.__version__}.")
    if [major, minor] > here:
        return f", perhaps because Keras {version} saved it and this is {keras.__version__}"
    return ""


def _check_assets(saved: Archive, checker: Checker) -> None:
    """Refuses files for layers where no layer reads any."""
    if not saved.assets:
        return
    for name in checker.classes:
        cls = checker.custom_objects.get(name) or getattr(keras.layers, name, None)
        if hasattr(cls, "load_assets"):
            return
    raise RefusedFileError(f"It has {next(iter(saved.assets))!r}, but no layer that reads it.")
