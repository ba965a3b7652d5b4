"""Recipes: what one is, how it is trained and how it is measured."""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import keras
import numpy as np

import keras_attention as ka
from keras_attention import inference, roles
from keras_attention.prediction import encoders, padding_mask
from keras_attention.training.batches import Batches
from zoo.data import Arrays, Splits
from zoo.harness import checkpoints
from zoo.harness.encoding import encode
from zoo.harness.interruption import StopAtNaN, StopWhenAsked
from zoo.harness.stopping import StopEarly

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from zoo.harness.animation import Animation


class Player(Protocol):
    """A callback that plays between epochs; `zoo.tasks.q_learning.play.Play` is one.

    Attributes:
        replay: the batches to learn from, which it fills; `batch_size` can be set.
    """

    replay: Any

    def get_state(self) -> Mapping[str, np.ndarray]:
        """Returns what a training needs beside the model to go on."""

    def set_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Sets what `get_state` gave."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One training, ready to run: `train(recipe)`.

    Attributes:
        model: not compiled; what it preprocesses with is adapted to `data.train`.
        data: what to train and test on, raw; the model's own encoders make arrays of it.
        optimizer, loss, metrics: for `model.compile`.
        score: the metric that counts; by its name in `model.evaluate` or in `measure`.
        epochs, batch_size, callbacks: for `model.fit`, which shuffles.
        stop: ends the training early, and keeps the best weights; none if `None`.
        stream: whether inputs are read and encoded a batch at a time, such as files of a folder.
        play: plays what is learned from, instead of `data.train`.
            Then y in `data` are the seeds of episodes, and `measure` plays these.
        init: the published checkpoint that the training starts from; nothing if it is from scratch.
        buckets: lengths to which batches of padded rows are cut off, see `Batches`.
        splits: how many seeds, each with a split of its own, it takes to say how good the model is:
            more than one where a test split is a handful of rows. The model of the first is kept.
        measure: further metrics of the trained model on the test data, by name.
        baselines: simpler methods, by name: the score of each on the same data.
        published: scores that others report, by what and who; see the recipe for how they compare.
        pictures: draws the trained model, figures or animations by file name; `training_curves`
            come anyway.
        mistakes: wrong answers of the trained model on the test data that are worth a look, the
            worst first, each by names of columns.
        request: what a user asked for, the name of the task and its arguments, so that it can be
            asked again; nothing for the recipes of the zoo.
        findings: what was found in a user's data, in sentences.
        next_step: what to do with the result; `{folder}` and `{backend}` are filled in.
        task: as Hugging Face calls it, https://huggingface.co/tasks; for the model card.
    """

    name: str
    variant: str
    seed: int
    model: keras.Model
    data: Splits
    optimizer: keras.optimizers.Optimizer
    loss: keras.losses.Loss
    metrics: tuple[keras.metrics.Metric | str, ...]
    score: str
    epochs: int
    batch_size: int
    callbacks: tuple[keras.callbacks.Callback, ...] = ()
    stop: StopEarly | None = None
    stream: bool = False
    play: Player | None = None
    init: Mapping[str, Any] = field(default_factory=dict)
    buckets: tuple[int, ...] = ()
    splits: int = 1
    measure: Callable[[keras.Model, Splits], Mapping[str, float]] = lambda model, data: {}
    baselines: Mapping[str, Callable[[Splits], float]] = field(default_factory=dict)
    published: Mapping[str, float] = field(default_factory=dict)
    pictures: Callable[[keras.Model, Splits], Mapping[str, "Figure | Animation"]] = (
        lambda model, data: {}
    )
    mistakes: Callable[[keras.Model, Splits], Sequence[Mapping[str, Any]]] = lambda model, data: ()
    request: Mapping[str, Any] = field(default_factory=dict)
    findings: tuple[str, ...] = ()
    next_step: str = "Load the model: keras.models.load_model('{folder}/model.keras')"
    task: str | None = None


@dataclass(frozen=True, kw_only=True)
class Result:
    """The outcome of a training.

    Attributes:
        recipe: the recipe, whose model is trained now.
        test: loss and metrics on the test split.
        history: loss and metrics by epoch, as in `keras.callbacks.History`.
        seconds: of `fit` alone, those before an interruption included.
    """

    recipe: Recipe
    test: dict[str, float]
    history: dict[str, list[float]]
    seconds: float


def configure(
    make: Callable[..., Recipe],
    seed: int,
    *,
    epochs: int | None = None,
    batch_size: int | None = None,
    **settings: Any,
) -> Recipe:
    """Returns `make(seed=seed, **settings)`, with other epochs or another batch size if given."""
    changes = {"epochs": epochs, "batch_size": batch_size}
    return replace(
        make(seed=seed, **settings),
        **{name: value for name, value in changes.items() if value is not None},
    )


def sizes(variants: Mapping[str, dict[str, Any]], variant: str) -> dict[str, Any]:
    """Returns the entry of a variant in `VARIANTS`.

    Raises:
        ValueError: there is no such entry.
    """
    if variant not in variants:
        raise ValueError(f"There is no variant {variant!r}. Variants: {', '.join(variants)}")
    return variants[variant]


class ProgressBar(keras.callbacks.Callback):
    """One bar for a whole training; Keras's own is one bar per epoch."""

    def on_train_begin(self, logs: dict | None = None) -> None:
        self._steps = self.params["steps"]
        self._bar = keras.utils.Progbar(
            self.params["epochs"] * self._steps,
            stateless_metrics=(),
            # A log file gets lines, not an animation.
            interval=0.1 if sys.stdout.isatty() else 10.0,
        )
        self._done = 0

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._done = epoch * self._steps  # more than are trained here, if training was resumed

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self._done += 1
        self._bar.update(self._done, (logs or {}).items(), finalize=False)

    def on_train_end(self, logs: dict | None = None) -> None:
        self._bar.update(self._done, (logs or {}).items(), finalize=True)


def train(
    recipe: Recipe,
    *,
    watch: bool = True,
    checkpoint_folder: str | Path | None = None,
    resume: bool = False,
) -> Result:
    """Compiles, fits and tests the recipe's model.

    Args:
        recipe: used up by this, since its model is trained in place.
        watch: show a progress bar, and measure the held-out split after each epoch: that for
            validation, or the test split where there is none. Nothing is chosen by the latter.
            What the recipe's own callbacks watch is measured in any case.
        checkpoint_folder: where to leave a checkpoint after each epoch, if anywhere.
        resume: continue the training whose checkpoints are there.

    Raises:
        ValueError: there are checkpoints of an interrupted training, and `resume` is `False`;
            or they are of another recipe, variant, seed, batch size, precision or data.
        Interrupted: Ctrl-C or a signal ended it, and `checkpoint_folder` has what was trained.
        FloatingPointError: the loss became NaN or infinite.
    """
    model, data = recipe.model, recipe.data
    compile_model(recipe, model)
    # TensorFlow traces a step twice if variables are made in it, as the optimizer's would be.
    model.optimizer.build(model.trainable_variables)
    callbacks = [StopAtNaN(), *recipe.callbacks, *([ProgressBar()] if watch else [])]
    if recipe.stop:  # before those that measure the model at the end, which has its best weights
        callbacks.insert(0, recipe.stop)
    if recipe.play:
        recipe.play.replay.batch_size = recipe.batch_size
        callbacks.insert(0, recipe.play)
    checkpoint = None
    if checkpoint_folder is not None:
        folder, training = Path(checkpoint_folder), identity(recipe)
        checkpoint = checkpoints.begin(
            training, folder, resume=resume, state=recipe.play or recipe.stop
        )
    settings = batch_settings(recipe)
    watched = None if recipe.play else data.validation or (data.test if watch else None)
    start = time.perf_counter()
    with StopWhenAsked() if checkpoint else nullcontext() as stop:
        history = model.fit(
            recipe.play.replay if recipe.play else make_batches(model, data.train, **settings),
            shuffle=False,  # these do
            validation_data=make_batches(model, watched, shuffle=False, **settings)
            if watched and (watch or recipe.callbacks or recipe.stop)
            else None,
            epochs=recipe.epochs,
            # The checkpoint is last, so that it sees what the others changed.
            callbacks=[*callbacks, *([stop, checkpoint] if checkpoint else [])],
            verbose=0,
        ).history
    seconds = time.perf_counter() - start
    if checkpoint:
        history, seconds = checkpoint.history, checkpoint.seconds
        checkpoints.complete(training, folder)
    return Result(recipe=recipe, test=evaluate(recipe, model), history=history, seconds=seconds)


def compile_model(recipe: Recipe, model: keras.Model) -> None:
    """Compiles `model` as the recipe says; where elements have weights, metrics heed them."""
    weighted = len(recipe.data.test) == 3
    metrics = {"weighted_metrics" if weighted else "metrics": list(recipe.metrics)}
    jit_compile = ka.training.choose_jit_compile(model)
    model.compile(optimizer=recipe.optimizer, loss=recipe.loss, jit_compile=jit_compile, **metrics)


def evaluate(recipe: Recipe, model: keras.Model) -> dict[str, float]:
    """Returns loss and metrics of a compiled model on the test data; of episodes no loss."""
    metrics = {}
    if not recipe.play:
        test = make_batches(model, recipe.data.test, shuffle=False, **batch_settings(recipe))
        with inference.guarded(model):
            metrics = model.evaluate(test, verbose=0, return_dict=True)
    metrics = {**metrics, **recipe.measure(model, recipe.data)}
    return {name: float(value) for name, value in metrics.items()}


def batch_settings(recipe: Recipe) -> dict[str, Any]:
    """Returns the settings of `make_batches` that a recipe has."""
    return {name: getattr(recipe, name) for name in ("batch_size", "buckets", "stream")}


def make_batches(
    model: keras.Model,
    part: Arrays,
    *,
    batch_size: int,
    buckets: tuple[int, ...] = (),
    stream: bool = False,
    shuffle: bool = True,
) -> Batches | ka.RawBatches:
    """Returns the batches of a part of a dataset, encoded as the model takes them."""
    raw, y, *weights = part
    if stream:
        return ka.RawBatches(model, raw, y, *weights, batch_size=batch_size, shuffle=shuffle)
    x = encode(model, raw)
    first = first_pieces(model, raw)
    if first is not None:
        y, *weights = (ka.training.spread_to_pieces(each, first) for each in (y, *weights))
    mask = padding_mask(model, x) if buckets else None
    return Batches(
        x, y, *weights, batch_size=batch_size, shuffle=shuffle, mask=mask, buckets=buckets
    )


def first_pieces(model: keras.Model, raw: Any) -> np.ndarray | None:
    """Returns where words begin among the ids of a tagger over pieces, `(B, T)`; `None` of other
    models, whose labels are those of ids already."""
    for layer in encoders(model).values():
        if roles.cuts_pieces(layer):
            return layer.first_pieces(raw)
    return None


def predict(
    model: keras.Model,
    part: Arrays,
    *,
    batch_size: int = 64,
    buckets: tuple[int, ...] = (),
) -> np.ndarray:
    """Returns the model's outputs for a part of a dataset, zeros where a bucket cut it off.

    Of a tagger over pieces they are those of words. Files are read a batch at a time.
    """
    columns = part[0].values() if isinstance(part[0], dict) else [part[0]]
    if any(len(each) and isinstance(each[0], Path) for each in columns):
        read = ka.RawBatches(model, part[0], batch_size=batch_size)
        arrays = (read[index][0] for index in range(read.num_batches))
        return np.concatenate([inference.outputs(model, x, batch_size=batch_size) for x in arrays])
    data = make_batches(model, part, batch_size=batch_size, buckets=buckets, shuffle=False)
    outputs = None
    for index in range(data.num_batches):
        x = data[index][0]
        computed = np.asarray(inference.outputs(model, x, batch_size=batch_size))
        if outputs is None:
            # Where each element has an output, as many as the elements; else what there is.
            y = data.y
            sizes = y.shape[1:2] if buckets and y.ndim > 1 else computed.shape[1:2]
            outputs = np.zeros((len(y), *sizes, *computed.shape[2:]), np.float32)
        rows = data.rows(index)
        if buckets and computed.ndim > 2:
            outputs[rows, : computed.shape[1]] = computed
        else:
            outputs[rows] = computed
    first = first_pieces(model, part[0])
    return outputs if first is None else ka.training.gather_words(outputs, first, part[1].shape[1])


def identity(recipe: Recipe) -> dict[str, Any]:
    """Returns what tells a training from others; the number of epochs may change."""
    return {
        "recipe": recipe.name,
        "variant": recipe.variant,
        "seed": recipe.seed,
        "batch_size": recipe.batch_size,
        "precision": keras.config.dtype_policy().name,
        "data_sha256": recipe.data.sha256(),
        **({"init": dict(recipe.init)} if recipe.init else {}),
    }
