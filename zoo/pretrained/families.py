"""The families of published checkpoints, found by file name."""

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, cast

import keras
import numpy as np

from zoo.pretrained.config import Config
from zoo.pretrained.heads import Head
from zoo.pretrained.weights import Rule, Tensors


class Family(Protocol):
    """A file of this folder that knows models of some kinds.

    Attributes:
        MODEL_TYPES: what `model_type` of a `config.json` may be.
        READS: the raw values of its models, `"texts"` or `"images"`.
        PROCESSOR: of images, the processor whose defaults hold where no file says one, see
            `preprocessing.image_converter`.
        BUILD: the function of `zoo` that builds a model of features.
        PREFIX: what names of tensors begin with, unless a checkpoint is of the features alone.
        TIED: by the names of tensors that may repeat another, the other's; may be left out. Their
            heads ask for `tie_word_embeddings`.
        IGNORED: a regular expression of tensors that no weight stands for.
    """

    MODEL_TYPES: Sequence[str]
    READS: str
    PROCESSOR: str
    BUILD: Callable[..., keras.Model]
    PREFIX: str
    IGNORED: str

    def arguments(self, config: Config) -> dict[str, Any]:
        """Returns the arguments of `BUILD` that a `config.json` stands for."""
        ...

    def weights(self, prefix: str) -> list[Rule]:
        """Returns the rules of the features, whose names of tensors begin with `prefix`."""
        ...

    def heads(self, config: Config, prefix: str) -> dict[str, Head]:
        """Returns the heads by task."""
        ...


def settle_ties(family: Family, config: Config, tensors: Tensors) -> Config:
    """Returns the settings of a checkpoint, in which tensors that differ are not tied.

    Settings of some, such as T5 1.1, say that a head is the table of the embeddings where the
    file has another one. Old files have both where they are one.
    """
    tied: Mapping[str, str] = getattr(family, "TIED", {})
    for name, other in tied.items():
        table = other if other in tensors else other.removeprefix(family.PREFIX)
        both = name in tensors and table in tensors
        if both and not np.array_equal(tensors[name], tensors[table]):
            return Config({**config, "tie_word_embeddings": False})
    return config


def find_family(config: Config) -> Family:
    """Returns the family of a checkpoint.

    Raises:
        ValueError: no file of this folder knows its `model_type`. The message lists those known.
    """
    model_type = config.get("model_type")
    known: list[str] = []
    for info in pkgutil.iter_modules([str(Path(__file__).parent)]):
        module = importlib.import_module(f"{__package__}.{info.name}")
        types = getattr(module, "MODEL_TYPES", ())
        if model_type in types:
            return cast(Family, module)
        known += types
    raise ValueError(
        f"Models of the type {str(model_type)[:100]!r} are not known here. Known are: "
        f"{', '.join(sorted(known))}."
    )
