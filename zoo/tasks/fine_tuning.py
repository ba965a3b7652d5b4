"""Fine-tuning of published encoders: what `--init` makes of a recipe."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras

import keras_attention as ka
import zoo.pretrained
from keras_attention.prediction import encoders
from zoo.harness.experiment import Recipe
from zoo.pretrained.checkpoint import open_checkpoint
from zoo.pretrained.heads import project
from zoo.tasks.optimizers import adamw_cosine

DROPOUT = 0.1  # in front of a new head


@dataclass(frozen=True)
class Init:
    """A published checkpoint to start from.

    Attributes:
        source: a folder or `hf://user/name`.
        lora: the rank of adapters that learn in place of its weights; these learn if `None`.
    """

    source: str
    lora: int | None = None


@dataclass(frozen=True, kw_only=True)
class FineTuning:
    """How a recipe trains a published encoder.

    Attributes:
        task: of `zoo.pretrained.load`, `"classes"` or `"tags"`.
        pooling: of the tokens, see `TokenPooling`, for a new head of classes in place of the
            checkpoint's own: `"mean"` is what encoders of sentences were trained for.
        epochs, batch_size: of the training.
        peak: the highest learning rate, that of the head.
        lora_peak: the same where adapters are trained.
        decay: by how much the rate falls from each block to the one below it, and to the
            embeddings below all of them.
        max_length: tokens of a text; `None` for images.
        buckets: lengths to which batches are cut off, see `Batches`.
        augmentation: a layer that changes the encoded inputs in training, such as
            `ImageAugmentation`; none if `None`.
    """

    task: str
    pooling: str | None = None
    epochs: int
    batch_size: int = 32
    peak: float = 1e-4
    lora_peak: float = 1e-3
    decay: float = 0.9
    max_length: int | None = 128
    buckets: tuple[int, ...] = ()
    augmentation: keras.layers.Layer | None = None


def make_init(recipe: Callable[..., Recipe], source: str, *, lora: int | None) -> Init:
    """Returns what a recipe starts from.

    Raises:
        ValueError: the recipe starts from scratch alone.
    """
    if "init" not in inspect.signature(recipe).parameters:
        raise ValueError(
            f"{recipe.__module__} starts from scratch and takes no published encoder. Received: "
            f"init={source!r}"
        )
    return Init(source, lora)


def start_from(
    init: Init | None, recipe: Recipe, settings: FineTuning, *, smoke: bool = False
) -> Recipe:
    """Returns a recipe that starts from a published checkpoint; the recipe itself if `None`.

    With `smoke` it keeps its few epochs.

    The rates are those of discriminative fine-tuning (Howard and Ruder, 2018,
    https://arxiv.org/abs/1801.06146, section 3.2), and rise for a tenth of the steps.
    """
    if init is None:
        return recipe
    keras.utils.set_random_seed(recipe.seed)
    model = _load(init.source, recipe.data.class_names, settings)
    if init.lora is not None:
        ka.enable_lora(model, init.lora)
    checkpoint = open_checkpoint(init.source, revision=None, limits=ka.saving.Limits())
    peak = settings.peak if init.lora is None else settings.lora_peak
    epochs = recipe.epochs if smoke else settings.epochs
    steps = epochs * recipe.data.num_batches(settings.batch_size)
    return replace(
        recipe,
        variant=name_of(init),
        init={"source": init.source, "sha256": checkpoint.digest(), "lora": init.lora},
        model=model,
        optimizer=make_optimizer(model, steps, peak=peak, decay=settings.decay),
        epochs=epochs,
        batch_size=settings.batch_size,
        buckets=settings.buckets,
    )


def _load(source: str, class_names: Sequence[str], settings: FineTuning) -> keras.Model:
    """Returns a published encoder with a head for the classes."""
    options = {"max_length": settings.max_length}
    if settings.pooling is None:
        model = zoo.pretrained.load(source, task=settings.task, class_names=class_names, **options)
        return model if settings.augmentation is None else _augment(model, settings.augmentation)
    features = zoo.pretrained.load(source, task="features", **options)
    x = ka.layers.TokenPooling(settings.pooling, name="pooling")(features.output)  # (B, D)
    x = project(x, len(class_names), DROPOUT)
    x = ka.layers.Labels(len(class_names), class_names, name="labels")(x)
    return keras.Model(features.input, x, name=features.name)


def _augment(model: keras.Model, augmentation: keras.layers.Layer) -> keras.Model:
    """Returns a model of the same layers, with one more behind that which encodes its input."""
    (encoder,) = encoders(model).values()

    def call(layer: keras.layers.Layer, *args: Any, **kwargs: Any) -> Any:
        output = layer(*args, **kwargs)
        return augmentation(output) if layer is encoder else output

    return keras.models.clone_model(model, clone_function=lambda layer: layer, call_function=call)


def name_of(init: Init) -> str:
    """Returns the name of a variant that starts from a checkpoint, such as `from MiniLM`."""
    name = init.source.rstrip("/").rpartition("/")[2]
    return f"from {name}" + (f", LoRA {init.lora}" if init.lora is not None else "")


def make_optimizer(
    model: keras.Model, steps: int, *, peak: float, decay: float
) -> keras.optimizers.Optimizer:
    """Returns AdamW whose rate is lower for lower blocks.

    Args:
        model: an encoder with blocks `block_0`, `block_1` and so on.
        steps: of the training.
        peak: the highest rate of what is above the blocks.
        decay: factor of the rate from each block to the one below it.
    """

    def adamw(rate: float) -> keras.optimizers.AdamW:
        return adamw_cosine(steps, peak=rate, warmup_steps=steps // 10, weight_decay=0.01)

    names = [layer.name for layer in model.layers if layer.weights]
    blocks = [name for name in names if name.startswith("block_")]
    below = names[: names.index(blocks[0])]
    rates = {_paths([name]): peak * decay**up for up, name in enumerate(reversed(blocks), 1)}
    rates[_paths(below)] = peak * decay ** (len(blocks) + 1)
    return keras.optimizers.MultiOptimizer(
        keras.optimizers.OptimizerMap(
            adamw(peak), {paths: adamw(rate) for paths, rate in rates.items()}
        )
    )


def _paths(layers: Sequence[str]) -> str:
    """Returns a regular expression of the paths of some layers' variables."""
    return f"({'|'.join(layers)})/.*"
