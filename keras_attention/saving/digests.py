"""Digests of a model's file, or of its folder of files."""

from collections.abc import Mapping
from pathlib import Path

from keras_attention.saving.archive import files_of
from keras_attention.saving.errors import FileError
from keras_attention.saving.files import list_digest, sha256


def members(folder: str | Path) -> dict[str, Path]:
    """The files of a model in a folder, by name and sorted by it; other files are left out.

    They are those that Keras writes, `training.json`, and what is under `assets`.

    Raises:
        RefusedFileError: one is a link that leaves the folder, or no regular file, or has a name
            of more than one line.
    """
    try:
        return files_of(Path(folder))
    except FileError as error:
        raise error.of(folder) from None


def digests(path: str | Path) -> dict[str, str]:
    """The SHA-256 of a file, or of each file of a model in a folder, by name."""
    path = Path(path)
    files = members(path) if path.is_dir() else {path.name: path}
    return {name: sha256(file) for name, file in files.items()}


def digest(path: str | Path) -> str:
    """One SHA-256 for a model, which `ka.load_model(..., sha256=...)` can ask for.

    Of a file it is the digest of the bytes. Of a folder it is the digest of a list of the
    model's files (`config.json`, `metadata.json`, `model.weights.h5`, and `training.json` and
    those under `assets` if there), sorted by name, in the format of `sha256sum`. So it does not
    change with a model card or anything else beside them, and a shell gives it too:

    ```bash
    LC_ALL=C sha256sum config.json metadata.json model.weights.h5 | sha256sum
    ```

    Raises:
        FileNotFoundError: there is nothing at `path`, or no model in the folder.
    """
    return join(path, digests(path))


def join(path: str | Path, digest_by_file: Mapping[str, str]) -> str:
    """Returns `digest(path)`, whose `digests` are known.

    Raises:
        FileNotFoundError: they are none.
    """
    if not digest_by_file:
        raise FileNotFoundError(f"There are no files of a model in {path}.")
    if not Path(path).is_dir():
        return next(iter(digest_by_file.values()))
    return list_digest(digest_by_file)
