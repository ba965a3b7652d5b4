"""Sentence embeddings: `modules.json`, which says what makes a vector of features."""

import re
from dataclasses import dataclass
from typing import Any

import keras

import keras_attention as ka
from keras_attention.saving.errors import DamagedFileError, RefusedFileError
from zoo.pretrained.checkpoint import Checkpoint
from zoo.pretrained.config import Config

_KINDS = {
    "pooling_mode_cls_token": "first",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_lasttoken": "last",
    "pooling_mode_mean_sqrt_len_tokens": None,
    "pooling_mode_weightedmean_tokens": None,
}


@dataclass(frozen=True)
class Sentences:
    """How a vector is made of the features of a text (https://arxiv.org/abs/1908.10084).

    Attributes:
        kind: of `TokenPooling`.
        normalize: whether vectors are of length 1.
        max_length: tokens of a text that are read; `None` if the model alone bounds them.
    """

    kind: str = "mean"
    normalize: bool = False
    max_length: int | None = None

    def attach(self, features: keras.Model) -> keras.KerasTensor:
        """Returns the vectors `(B, D)` of a model of features."""
        x = ka.layers.TokenPooling(self.kind, name="pooling")(features.output)
        return keras.layers.UnitNormalization(name="normalization")(x) if self.normalize else x


def read_sentences(checkpoint: Checkpoint) -> Sentences | None:
    """Returns what a checkpoint of sentence-transformers says, or `None` if it is no such.

    Raises:
        ValueError: it has a module, a pooling or a prompt that is not known here.
    """
    modules = checkpoint.json("modules.json")
    if not modules:
        return None
    kinds, paths = _read_modules(checkpoint, modules)
    if kinds not in (
        ["Transformer", "Pooling"],
        ["Transformer", "Pooling", "Normalize"],
    ):
        raise ValueError(
            f"{checkpoint.source}: modules.json must have Transformer, Pooling and perhaps "
            f"Normalize. Received: {', '.join(kinds)}. Load the features with task='features'."
        )
    pooling = Config(checkpoint.json(f"{paths[1]}/config.json"), name="the pooling's config.json")
    pooling.demand(include_prompt=True)
    if "pooling_mode" in pooling:  # of sentence-transformers 6
        modes = {"cls": "first", "lasttoken": "last", "mean": "mean", "max": "max"}
        kind = pooling.choose("pooling_mode", modes)
    else:
        chosen = [key for key in _KINDS if pooling.flag(key, False)]
        if len(chosen) != 1 or _KINDS[chosen[0]] is None:
            raise ValueError(
                f"{checkpoint.source}: The pooling must be one of the first, the last, the mean "
                f"and the maximum. Received: {', '.join(chosen) or 'none'}"
            )
        kind = _KINDS[chosen[0]]
    Config(
        checkpoint.json("config_sentence_transformers.json"),
        name="config_sentence_transformers.json (put a prompt before each text yourself)",
    ).demand(default_prompt_name=None)
    settings = Config(
        checkpoint.json("sentence_bert_config.json"), name="sentence_bert_config.json"
    )
    settings.demand(do_lower_case=False)
    length = settings.size("max_seq_length") if settings.get("max_seq_length") else None
    return Sentences(kind, len(kinds) == 3, length)


def _read_modules(checkpoint: Checkpoint, modules: Any) -> tuple[list[str], list[str]]:
    """Returns the kinds of modules, and the folders that they are in."""
    try:
        kinds = [str(module["type"]).rpartition(".")[2] for module in modules]
        paths = [str(module["path"]) for module in modules]
    except (TypeError, KeyError, IndexError):
        raise DamagedFileError(
            f"{checkpoint.source}: modules.json must be a list of modules, each with a type and a "
            "path."
        ) from None
    if not all(re.fullmatch(r"\w*", path, re.ASCII) for path in paths):
        raise RefusedFileError(
            f"{checkpoint.source}: modules.json names {paths}, which are no folders of it.", ""
        )
    return kinds, paths
