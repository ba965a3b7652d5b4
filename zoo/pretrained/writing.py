"""From a model to the files of a published checkpoint."""

import json
import shutil
from pathlib import Path
from typing import Any

import keras

from keras_attention import roles
from keras_attention.saving import files, tensors
from keras_attention.saving.limits import DEFAULT, Limits
from zoo.pretrained import heads, weights
from zoo.pretrained.checkpoint import CONFIG, SIDE_FILES, WEIGHTS, Checkpoint, open_checkpoint
from zoo.pretrained.families import Family, find_family
from zoo.pretrained.loading import find_prefix

_OF_SENTENCES = ("modules.json", "*_Pooling/config.json", "*sentence*")


def save(
    model: keras.Model,
    folder: str | Path,
    *,
    like: str | Path,
    revision: str | None = None,
    limits: Limits = DEFAULT,
) -> None:
    """Writes a model as a published checkpoint, for transformers and others, whole or not at all.

    Args:
        model: as `load` returns it, trained or not.
        folder: gets `config.json`, `model.safetensors` and the files of the tokenizer. If it is
            there, it must be empty or a checkpoint, which is replaced.
        like: the checkpoint that the model was loaded from, or one of the same architecture: a
            folder or `hf://user/name`. Settings and the tokenizer's files come from it.
        revision, limits: of `like`, as `load` takes them.

    Raises:
        ValueError: the model's weights are not those of a model like it, or `folder` is something
            else.
        FileNotFoundError, ConnectionError: `like` is not there, or cannot be reached.
    """
    checkpoint = open_checkpoint(like, revision=revision, limits=limits)
    family = find_family(checkpoint.config)
    task, rules = _match(model, checkpoint, family)
    arrays = weights.save(model, rules)
    config = _describe(model, checkpoint, task)
    library = tensors.import_safetensors()
    with files.complete_folder(folder, holds=CONFIG) as temporary:
        for pattern in SIDE_FILES:
            if task == "embedding" or pattern not in _OF_SENTENCES:
                _copy(checkpoint.folder, pattern, temporary)
        (temporary / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
        library.numpy.save_file(arrays, temporary / WEIGHTS, metadata={"format": "pt"})


def _match(
    model: keras.Model, checkpoint: Checkpoint, family: Family
) -> tuple[str, list[weights.Rule]]:
    """Returns the task of a model, and the rules of its weights."""
    by_task = family.heads(checkpoint.config, family.PREFIX)
    task = "embedding" if len(model.outputs[0].shape) == 2 else "features"
    for each, head in by_task.items():
        last = heads.LAST.get(each, "logits")
        rules = family.weights(family.PREFIX)
        if model.layers[-1].name == last and weights.covers(model, rules, head.weights):
            task = each
    prefix = family.PREFIX if task in by_task else ""
    if task == heads.find_task(checkpoint.config):
        prefix = find_prefix(family, checkpoint.tensors)
    head = family.heads(checkpoint.config, prefix).get(task)
    return task, [*family.weights(prefix), *(head.weights if head else ())]


def _describe(model: keras.Model, checkpoint: Checkpoint, task: str) -> dict[str, Any]:
    """Returns the settings of a model like a checkpoint, as it is now."""
    config = dict(checkpoint.config)
    if heads.find_task(checkpoint.config) != task:
        known = heads.find_architecture(checkpoint.config)
        ending = next(
            (e for each in heads.ARCHITECTURES.values() for e in each if known.endswith(e)), ""
        )
        endings = heads.ARCHITECTURES["features" if task == "embedding" else task]
        config["architectures"] = [known.removesuffix(ending) + endings[0]]
    names = roles.class_names(model.layers[-1])
    if names:
        config["id2label"] = {str(number): name for number, name in enumerate(names)}
        config["label2id"] = {name: number for number, name in enumerate(names)}
    config.pop("torch_dtype", None)
    config["dtype"] = "float32"
    return config


def _copy(source: Path, pattern: str, target: Path) -> None:
    for path in source.glob(pattern):
        copied = target / path.relative_to(source)
        copied.parent.mkdir(exist_ok=True)
        shutil.copyfile(path, copied)
