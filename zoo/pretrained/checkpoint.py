"""The files of a published checkpoint: settings, tensors and what makes inputs of raw values."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from keras_attention.saving import files, hub, tensors
from keras_attention.saving.errors import DamagedFileError, FileError, RefusedFileError, cause
from keras_attention.saving.limits import Limits, exceeded
from zoo.pretrained.config import Config

CONFIG, WEIGHTS = "config.json", "model.safetensors"
INDEX = f"{WEIGHTS}.index.json"
# What is read of a repository beside its weights, as far as it is there.
SIDE_FILES = (
    "generation_config.json",
    "modules.json",
    "*_Pooling/config.json",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "*.model",
    "preprocessor_config.json",
    "processor_config.json",
)
_SHARD = re.compile(r"[\w-]+(\.[\w-]+)*\.safetensors", re.ASCII)
_OLD = {".LayerNorm.gamma": ".LayerNorm.weight", ".LayerNorm.beta": ".LayerNorm.bias"}
_FLOATS = ("F16", "BF16", "F32", "F64")


@dataclass(frozen=True)
class Checkpoint:
    """A folder with the files of a published checkpoint, each read when it is asked for.

    Attributes:
        folder: where they are; they are read, and never changed.
        source: how the user named it, for messages.
        limits: of sizes.
    """

    folder: Path
    source: str
    limits: Limits

    @cached_property
    def config(self) -> Config:
        """The settings of the model.

        Raises:
            FileNotFoundError: the folder has none.
        """
        if self.text(CONFIG) is None:
            raise FileNotFoundError(
                f"{self.source} is no published checkpoint: it has no {CONFIG}. Name a folder or "
                f"a repository with {CONFIG} and {WEIGHTS}."
            )
        return Config(self.json(CONFIG))

    @cached_property
    def tensors(self) -> "StoredTensors":
        """The tensors of its weights.

        Raises:
            FileNotFoundError: there are none in safetensors format.
            FileError: the files are not whole, or are more than the limits allow.
        """
        return StoredTensors(self._weight_files())

    def text(self, name: str) -> str | None:
        """Returns the content of a file, or `None` if it is not there."""
        content = self.content(name)
        if content is None:
            return None
        try:
            return content.decode("utf-8")
        except UnicodeDecodeError as error:
            raise DamagedFileError(f"{self.source}: {name} is no text: {error}.") from None

    def content(self, name: str) -> bytes | None:
        """Returns the bytes of a file, or `None` if it is not there."""
        path = self.folder / name
        if not path.is_file():
            return None
        size = path.stat().st_size
        limit = "config_bytes" if name == CONFIG else "asset_bytes"
        if size > getattr(self.limits, limit):
            what = f"{self.source}: The size of {name}"
            raise exceeded(what, f"{size:,} bytes", limit, f"{getattr(self.limits, limit):,}")
        return path.read_bytes()

    def json(self, name: str) -> Any:
        """Returns the content of a JSON file; an empty mapping if it is not there."""
        text = self.text(name)
        try:
            return {} if text is None else json.loads(text)
        except (ValueError, RecursionError) as error:
            raise DamagedFileError(f"{self.source}: {name} is no JSON: {error}.") from cause(error)

    def digest(self) -> str:
        """Returns the SHA-256 of the weights.

        That of one file is what `sha256sum` and the Hub's page say; that of several is the digest
        of their list as `sha256sum` prints it, sorted by name.
        """
        digests = {path.name: files.sha256(path) for path in self._weight_files()}
        return next(iter(digests.values())) if len(digests) == 1 else files.list_digest(digests)

    def check_digest(self, sha256: str) -> None:
        """Raises `RefusedFileError` if the weights do not have this digest."""
        actual = self.digest()
        if actual != sha256.lower():
            raise RefusedFileError(
                f"{self.source}: The digest of its weights is {actual}, not {sha256}.",
                "Get it again, or ask who gave you the digest.",
            )

    def _weight_files(self) -> list[Path]:
        names = [WEIGHTS]
        if not (self.folder / WEIGHTS).is_file():
            names = self._shards()
        paths = [self.folder / name for name in names]
        missing = [path.name for path in paths if not path.is_file()]
        if missing:
            raise FileNotFoundError(f"{self.source} has no {', '.join(missing)}.{self._advise()}")
        total = sum(path.stat().st_size for path in paths)
        if total > self.limits.expanded_bytes:
            limit = f"{self.limits.expanded_bytes:,}"
            what = f"{self.source}: The size of its weights"
            raise exceeded(what, f"{total:,} bytes", "expanded_bytes", limit)
        return paths

    def _shards(self) -> list[str]:
        """Returns the names of the files that the weights are split into."""
        index = self.json(INDEX)
        by_tensor = index.get("weight_map", {}) if isinstance(index, dict) else None
        if not isinstance(by_tensor, dict):
            raise DamagedFileError(f"{self.source}: {INDEX} has no map from tensors to files.")
        names = set(map(str, by_tensor.values()))
        for name in names:
            if not _SHARD.fullmatch(name):
                raise RefusedFileError(
                    f"{self.source}: {INDEX} names {name!r}, which is no file of its folder.", ""
                )
        return sorted(names) or [WEIGHTS]

    def _advise(self) -> str:
        """Returns what to do where weights are in another format."""
        if not any(self.folder.glob("*.bin")) and not self.source.startswith(hub.SCHEME):
            return ""
        return (
            " Weights in pytorch_model.bin are pickles, which run code, and are not read. Many "
            "repositories have a conversion by the Hub: load it by `revision='refs/pr/N'`, N "
            "being the number of the pull request that adds model.safetensors. Or save it anew "
            "with transformers: `model.save_pretrained(folder)`."
        )


def open_checkpoint(source: str | Path, *, revision: str | None, limits: Limits) -> Checkpoint:
    """Returns a checkpoint in a folder, or on the Hub, of which the files are then in its cache.

    Args:
        source: a folder; or `hf://user/name` or `hf://user/name@revision`.
        revision: branch, tag or commit on the Hub.
        limits: of sizes.

    Raises:
        FileNotFoundError: there is no such folder or repository.
        ConnectionError, PermissionError, ImportError: as `ka.load_model` does.
    """
    if str(source).startswith(hub.SCHEME):
        shards = WEIGHTS.replace(".", "-*-of-*.")
        patterns = [CONFIG, WEIGHTS, INDEX, shards, *SIDE_FILES]
        folder = hub.download_files(str(source), patterns, revision=revision, limits=limits)
        return Checkpoint(folder, str(source), limits)
    if revision is not None:
        raise ValueError(
            f"`revision` belongs to a source that begins with hf://. Received: source={source}, "
            f"revision={revision}"
        )
    folder = Path(source)
    if not folder.is_dir():
        raise FileNotFoundError(
            f"There is no folder {source}. A repository on the Hub begins with {hub.SCHEME}, as in "
            f"{hub.SCHEME}sentence-transformers/all-MiniLM-L6-v2."
        )
    return Checkpoint(folder, str(source), limits)


class StoredTensors(Mapping[str, np.ndarray]):
    """The tensors of safetensors files, which come one at a time.

    Names of old repositories, such as `LayerNorm.gamma`, are those of today.

    Raises:
        DamagedFileError: a file is not whole.
        FileError: two files have a tensor of one name; or a tensor that is asked for has no floats.
    """

    def __init__(self, paths: list[Path]) -> None:
        self._library = tensors.import_safetensors()
        self._stored: dict[str, tuple[Path, str]] = {}
        self._files = {path: self._open(path) for path in paths}
        for path, file in self._files.items():
            for stored in file.keys():  # noqa: SIM118 (no mapping)
                name = stored
                for old, new in _OLD.items():
                    name = name.removesuffix(old) + new if name.endswith(old) else name
                if name in self._stored:
                    raise FileError(f"{path.parent}: The tensor {name!r} is there twice.")
                self._stored[name] = (path, stored)
                if 0 in self.shape(name):  # It takes no bytes, however long its other sides.
                    raise DamagedFileError(f"{path}: The tensor {name!r} is empty.")

    def _open(self, path: Path) -> Any:
        try:
            file = self._library.safe_open(path, framework="numpy")
            tensors.check_header(path)
        except self._library.SafetensorError as error:
            raise DamagedFileError(f"{path}: It is no whole safetensors file: {error}.") from cause(
                error
            )
        return file

    def __iter__(self) -> Iterator[str]:
        return iter(self._stored)

    def __len__(self) -> int:
        return len(self._stored)

    def shape(self, name: str) -> tuple[int, ...]:
        """Returns the shape of a tensor, which is not read."""
        path, stored = self._stored[name]
        return tuple(self._files[path].get_slice(stored).get_shape())

    @property
    def numbers(self) -> int:
        """How many numbers all tensors hold together."""
        return sum(int(np.prod(self.shape(name), dtype=object)) for name in self)

    def __getitem__(self, name: str) -> np.ndarray:
        path, stored = self._stored[name]
        dtype = self._files[path].get_slice(stored).get_dtype()
        if dtype not in _FLOATS:
            raise FileError(
                f"{path}: The tensor {name!r} has the type {dtype}, and weights must be one of "
                f"{', '.join(_FLOATS)}. Quantized checkpoints are not read."
            )
        return self._files[path].get_tensor(stored)
