"""From the files of a published checkpoint to a model."""

import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras

import keras_attention as ka
from keras_attention.ops import checks
from keras_attention.saving.budget import budget
from keras_attention.saving.errors import DamagedFileError, FileError, cause
from keras_attention.saving.limits import DEFAULT, Limits
from zoo.pretrained import heads, positions, preprocessing, sentences, tokenizers, weights
from zoo.pretrained.checkpoint import Checkpoint, open_checkpoint
from zoo.pretrained.families import Family, find_family, settle_ties
from zoo.pretrained.heads import Head
from zoo.pretrained.weights import Rule


def load(
    source: str | Path,
    *,
    task: str | None = None,
    class_names: Sequence[str] | None = None,
    revision: str | None = None,
    sha256: str | None = None,
    dtype: str | None = None,
    image_size: int | tuple[int, int] | None = None,
    max_length: int | None = None,
    limits: Limits = DEFAULT,
) -> keras.Model:
    """Returns a published model as a functional model of the zoo, which reads raw values.

    ```python
    model = zoo.pretrained.load("hf://FacebookAI/roberta-base", task="classes",
                                class_names=("no", "yes"))
    model.compile(ka.optimizers.AdamW(2e-5),
                  keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(ka.encode(model, texts), labels)
    ```

    Its first layer is the checkpoint's own tokenizer, or makes pixels as its image processor does.
    Neither PyTorch nor TensorFlow nor transformers is needed: of the files only settings, tensors
    and vocabularies are read, and no code.

    | `task` | output |
    |---|---|
    | `"features"` | `(B, T, D)` |
    | `"embedding"` | `(B, D)`, by `modules.json`; else the mean, of images the class token |
    | `"classes"` | logits `(B, C)` |
    | `"tags"` | logits `(B, T, C)` |
    | `"span"` | logits `(B, T, 2)` of where an answer begins and ends |
    | `"fill"` | logits `(B, T, V)` of the word at each position |
    | `"next_token"` | logits `(B, T, V)` of the token after each |

    Args:
        source: a folder; or `hf://user/name` or `hf://user/name@revision`, through the cache of
            `huggingface_hub`.
        task: one of these; that for which the checkpoint was saved if `None`.
        class_names: of `"classes"` and `"tags"`. A head with other classes than the checkpoint's,
            or where it has none, is a new one; a warning says so.
        revision: branch, tag or commit. Only a commit's hash is always the same model.
        sha256: the digest that the file of the weights must have.
        dtype: policy of the model, such as `"bfloat16"`; Keras's own if `None`.
        image_size: side, or height and width, of the images of a model of images, whose positions
            are resized for it; the checkpoint's if `None`.
        max_length: tokens of a text that are kept; as many as the model takes if `None`.
        limits: of sizes, see `ka.saving.Limits`.

    Raises:
        FileNotFoundError: there is no such folder or repository, or weights in no known format.
        ValueError: the kind of model is not known, `config.json` asks for something that its
            family does not do, or the checkpoint has no head for the task.
        FileError: tensors are missing, left over, of another shape or not finite; or more than
            the limits allow.
        ConnectionError, PermissionError: the Hub cannot be reached, or wants a login.
        ImportError: safetensors, tokenizers or huggingface_hub is not installed.
    """
    checkpoint = open_checkpoint(source, revision=revision, limits=limits)
    try:
        if sha256 is not None:
            checkpoint.check_digest(sha256)
        family = find_family(checkpoint.config)
        _check_arguments(family, max_length=max_length, image_size=image_size)
        plan = _make_plan(checkpoint, family, task, class_names)
        arguments = family.arguments(checkpoint.config)
        if image_size is not None:
            plan, arguments = _resize(plan, arguments, image_size)
        with _computing_in(dtype):
            model = _build(checkpoint, family, plan, arguments, max_length)
        weights.load(
            model,
            checkpoint.tensors,
            plan.rules,
            new=plan.new,
            ignored=plan.ignored,
            non_finite=limits.non_finite,
        )
    except FileError as error:
        if str(error).startswith(str(source)):
            raise
        raise error.of(str(source)) from error.__cause__
    if plan.new:
        warnings.warn(
            f"{source} has no weights for {', '.join(plan.new)} of the task {plan.task!r}: they "
            "begin at random. Train them.",
            stacklevel=2,
        )
    return model


@dataclass(frozen=True)
class _Plan:
    """What is to be built of a checkpoint.

    Attributes:
        task: one of `heads.TASKS`.
        head: of the task; `None` if it has no weights.
        sentences: how an embedding is made.
        names: of the classes.
        rules: of all weights.
        new: layers that the checkpoint has nothing for.
        ignored: a regular expression of tensors that are of other tasks.
    """

    task: str
    head: Head | None
    sentences: sentences.Sentences
    names: Sequence[str]
    rules: Sequence[Rule]
    new: Sequence[str]
    ignored: str


def _make_plan(
    checkpoint: Checkpoint, family: Family, task: str | None, class_names: Sequence[str] | None
) -> _Plan:
    tensors = checkpoint.tensors
    config = settle_ties(family, checkpoint.config, tensors)
    of_sentences = sentences.read_sentences(checkpoint) if task in (None, "embedding") else None
    saved = "embedding" if of_sentences else heads.find_task(config)
    prefix = find_prefix(family, tensors)
    by_task = family.heads(config, prefix)
    known = ["features", "embedding", *by_task]
    if task is None and saved is None:
        raise ValueError(
            f"{checkpoint.source} was saved as {heads.find_architecture(config)}, which is no task "
            f"here. Pass `task=`, one of {', '.join(map(repr, known))}."
        )
    task = task or saved
    if task not in known:
        raise ValueError(
            f"`task` must be one of {', '.join(map(repr, known))} for models of the type "
            f"{config['model_type']!r}. Received: task={task!r}"
        )
    head = by_task.get(task)
    own = list(head.weights) if head else []
    there = [rule for rule in own if all(name in tensors for name in rule.theirs)]
    names: Sequence[str] = ()
    if task in heads.NAMED:
        units = _count_units(there, checkpoint)
        if class_names is None and units is None:
            raise ValueError(
                f"{checkpoint.source} has no head for the task {task!r}: it was saved as "
                f"{heads.find_architecture(config)}. Pass `class_names=` for a new one, to be "
                "trained."
            )
        names = heads.class_names(config, units) if class_names is None else list(class_names)
        if isinstance(class_names, str) or not names or len({*names}) < len(names):
            raise ValueError(
                "`class_names` must be several names, each another. Received: "
                f"class_names={class_names!r}"
            )
        if len(names) != units:
            there = [rule for rule in there if not rule.ours[0].startswith("logits/")]
    elif class_names is not None:
        raise ValueError(
            f"`class_names` goes with {' and '.join(map(repr, heads.NAMED))}. Received: "
            f"class_names={class_names!r}, task={task!r}"
        )
    elif own and not there and task != "span":
        raise ValueError(
            f"{checkpoint.source} has no head for the task {task!r}: it was saved as "
            f"{heads.find_architecture(config)}. Pass another `task`."
        )
    if there and (task not in heads.NAMED or len(names) == units):
        there = own  # A head that the checkpoint has must be whole.
    missing = [rule for rule in own if rule not in there]
    others = [
        name.replace(".", r"\.")
        for each in by_task.values()
        for rule in each.weights
        for name in rule.theirs
    ]
    return _Plan(
        task=task,
        head=head,
        sentences=of_sentences
        or sentences.Sentences("first" if family.READS == "images" else "mean"),
        names=names,
        rules=[*family.weights(prefix), *there],
        new=list(dict.fromkeys(name.partition("/")[0] for rule in missing for name in rule.ours)),
        ignored="|".join([family.IGNORED, *(f"^{name}$" for name in others)]),
    )


def find_prefix(family: Family, tensors: Any) -> str:
    """Returns what the names of a checkpoint's features begin with."""
    return family.PREFIX if any(name.startswith(family.PREFIX) for name in tensors) else ""


def _count_units(rules: Sequence[Rule], checkpoint: Checkpoint) -> int | None:
    """Returns how many outputs a checkpoint's head has, or `None` if it has none."""
    for rule in rules:
        if rule.ours == ("logits/kernel",):
            shape = checkpoint.tensors.shape(rule.theirs[0])
            return shape[0] if len(shape) == 2 else None
    return None


def _check_arguments(family: Family, **arguments: Any) -> None:
    """Raises `ValueError` at an argument of `load` that is about raw values of another kind."""
    reads = {"max_length": "texts", "image_size": "images"}
    for name, value in arguments.items():
        if value is not None and reads[name] != family.READS:
            raise ValueError(
                f"`{name}` goes with models of {reads[name]}, and this one is of {family.READS}. "
                f"Received: {name}={value}"
            )


def _resize(
    plan: _Plan, arguments: dict[str, Any], image_size: int | tuple[int, int]
) -> tuple[_Plan, dict[str, Any]]:
    """Returns the plan and the builder's arguments for images of another size."""
    size = (image_size,) * 2 if isinstance(image_size, int) else tuple(image_size)
    if len(size) != 2:
        raise ValueError(f"`image_size` must be one number or two. Received: {image_size}")
    for side, patch in zip(size, arguments["patch_size"], strict=True):
        checks.positive_int(image_size=side)
        if side < patch:
            raise ValueError(
                f"`image_size` must be at least that of a patch, {arguments['patch_size']}. "
                f"Received: image_size={image_size}"
            )
    old, new = (
        positions.grid(each, arguments["patch_size"]) for each in (arguments["image_size"], size)
    )
    rules = positions.fit_rules(plan.rules, old, new)
    return replace(plan, rules=rules), {**arguments, "image_size": size}


def _build(
    checkpoint: Checkpoint,
    family: Family,
    plan: _Plan,
    arguments: dict[str, Any],
    max_length: int | None,
) -> keras.Model:
    """Returns the model, with no more weights than the checkpoint has and new ones need."""
    lengths = (max_length, plan.sentences.max_length, arguments.get("max_length"))
    units = len(plan.names) or 2
    width = arguments["hidden_dim"]
    num_layers = arguments.get("num_layers", 0)
    if num_layers > len(checkpoint.tensors):
        raise DamagedFileError(
            f"config.json asks for {num_layers:,} layers, and the weights are "
            f"{len(checkpoint.tensors):,} tensors."
        )
    more = (width + 1) * (width + units) if plan.new else 0
    if family.READS == "images":  # in a larger one there are more positions
        patches = positions.grid(arguments["image_size"], arguments["patch_size"])
        more += width * math.prod(patches)
    numbers = checkpoint.tensors.numbers
    numbers += min(numbers, more)  # whatever width and sizes a stranger's settings have
    with budget(numbers, checkpoint.limits) as spent:
        try:
            if family.READS == "images":
                arguments["converter"] = preprocessing.read(
                    checkpoint,
                    family=family.PROCESSOR,
                    image_size=arguments["image_size"],
                    channels=arguments["channels"],
                )
            else:
                arguments["tokenizer"] = _read_tokenizer(
                    checkpoint,
                    max_length=min(filter(None, lengths), default=None),
                    words="pieces" if plan.task == "tags" else False,
                )
            spent.blank = True  # All weights of the features come from the checkpoint.
            features = family.BUILD(**arguments, name=family.MODEL_TYPES[0].replace("-", "_"))
            spent.blank = False
            if plan.task == "features":
                return features
            if plan.task == "embedding":
                x = plan.sentences.attach(features)
            else:
                x = heads.finish(
                    plan.head.attach(features, units), plan.task, plan.names, checkpoint.config
                )
            return keras.Model(features.input, x, name=features.name)
        except Exception as error:
            if spent.refusal:
                raise spent.refusal from cause(error)
            raise


def _read_tokenizer(
    checkpoint: Checkpoint, *, max_length: int | None, words: bool | str
) -> ka.layers.Tokenizer:
    """Returns the tokenizer of a checkpoint; one that passes ids alone, if it has no vocabulary."""
    try:
        return tokenizers.read(checkpoint, max_length=max_length, words=words)
    except FileNotFoundError:
        padding = checkpoint.config.get("pad_token_id")
        return ka.layers.Tokenizer(
            max_length,
            words=words,
            padding_id=-1 if padding is None else padding,
            name="tokenizer",
        )


@contextmanager
def _computing_in(dtype: str | None) -> Iterator[None]:
    """Makes layers of a policy; Keras has it for each thread."""
    before = keras.config.dtype_policy()
    if dtype is not None:
        keras.config.set_dtype_policy(dtype)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
