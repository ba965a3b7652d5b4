"""From a model to the files of a published checkpoint."""

import json
import shutil
from pathlib import Path
from typing import Any

import keras

from keras_attention import roles
from keras_attention.saving import files, tensors
from keras_attention.saving.limits import DEFAULT, Limits
from zoo.pretrained import heads, preprocessing, weights
from zoo.pretrained.checkpoint import CONFIG, SIDE_FILES, WEIGHTS, Checkpoint, open_checkpoint
from zoo.pretrained.config import Config
from zoo.pretrained.families import Family, find_family, settle_ties
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
    settings = settle_ties(family, checkpoint.config, checkpoint.tensors)
    task, rules = _match(model, checkpoint, family, settings)
    arrays = weights.save(model, rules, checkpoint.tensors)
    config = _describe(model, settings, task)
    library = tensors.import_safetensors()
    with files.complete_folder(folder, holds=CONFIG) as temporary:
        for pattern in SIDE_FILES:
            if task == "embedding" or pattern not in _OF_SENTENCES:
                _copy(checkpoint.folder, pattern, temporary)
        if family.READS == "images":
            config |= _describe_images(model, checkpoint, family, temporary)
        _write_json(temporary / CONFIG, config)
        library.numpy.save_file(arrays, temporary / WEIGHTS, metadata={"format": "pt"})


def _match(
    model: keras.Model, checkpoint: Checkpoint, family: Family, config: Config
) -> tuple[str, list[weights.Rule]]:
    """Returns the task of a model, and the rules of its weights."""
    one = len(model.outputs[0].shape) == 2  # output for a text, and not for each token
    by_task = {
        each: head
        for each, head in family.heads(config, family.PREFIX).items()
        if (each == "classes") == one
    }
    task = "embedding" if one else "features"
    for each, head in by_task.items():
        rules = family.weights(family.PREFIX)
        if model.layers[-1].name == heads.LAST[each] and weights.covers(model, rules, head.weights):
            task = each
    prefix = family.PREFIX if task in by_task else ""
    if task == heads.find_task(config):
        prefix = find_prefix(family, checkpoint.tensors)
    head = family.heads(config, prefix).get(task)
    return task, [*family.weights(prefix), *(head.weights if head else ())]


def _describe(model: keras.Model, settings: Config, task: str) -> dict[str, Any]:
    """Returns the settings of a model like a checkpoint, as it is now."""
    config = dict(settings)
    if heads.find_task(settings) != task:
        known = heads.find_architecture(settings)
        ending = heads.find_ending(known)
        endings = heads.ARCHITECTURES["features" if task == "embedding" else task]
        config["architectures"] = [known.removesuffix(ending) + endings[0]]
    names = roles.class_names(model.layers[-1])
    if names:
        config["id2label"] = {str(number): name for number, name in enumerate(names)}
        config["label2id"] = {name: number for number, name in enumerate(names)}
    config.pop("torch_dtype", None)
    config["dtype"] = "float32"
    return config


def _describe_images(
    model: keras.Model, checkpoint: Checkpoint, family: Family, target: Path
) -> dict[str, Any]:
    """Returns settings of the size of images, and writes the processor's, if it is another one."""
    height, width = model.input_shape[1:3]
    if family.arguments(checkpoint.config)["image_size"] == (height, width):
        return {}
    name, content = preprocessing.describe(
        checkpoint, family=family.PROCESSOR, image_size=(height, width)
    )
    _write_json(target / name, content)
    return {"image_size": height if height == width else [height, width]}


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _copy(source: Path, pattern: str, target: Path) -> None:
    for path in source.glob(pattern):
        copied = target / path.relative_to(source)
        copied.parent.mkdir(exist_ok=True)
        shutil.copyfile(path, copied)
