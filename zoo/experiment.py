"""What a recipe is, and what is done with one: train, measure, repeat, write down."""

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

import keras_attention as ka
from keras_attention.explain import plots
from keras_attention.saving import card
from keras_attention.saving.files import complete, write_json
from zoo import checkpoints
from zoo import provenance as process
from zoo.data import Splits
from zoo.data.batches import Batches

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One training, ready to run: `train(recipe)`.

    Attributes:
        model: not compiled; what it preprocesses with is adapted to `data.train`.
        data: what to train and test on.
        optimizer, loss, metrics: for `model.compile`.
        score: the metric that counts; by its name in `model.evaluate`.
        epochs, batch_size, callbacks: for `model.fit`, which shuffles.
        baselines: simpler methods, by name: the score of each on the same data.
        pictures: draws the trained model, figures by file name; `training_curves` come anyway.
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
    baselines: Mapping[str, Callable[[Splits], float]] = field(default_factory=dict)
    pictures: Callable[[keras.Model, Splits], Mapping[str, "Figure"]] = lambda model, data: {}
    next_step: str = "Load the model: keras.models.load_model('{folder}/model.keras')"
    task: str | None = None


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a training gave.

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
    """`make(seed=seed, **settings)`, with other epochs or another batch size if given."""
    changes = {"epochs": epochs, "batch_size": batch_size}
    return replace(
        make(seed=seed, **settings),
        **{name: value for name, value in changes.items() if value is not None},
    )


def sizes(variants: Mapping[str, dict[str, Any]], variant: str) -> dict[str, Any]:
    """The entry of a model's `VARIANTS`.

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
            validation, or the test split where there is none. Nothing is chosen by it.
        checkpoint_folder: where to leave a checkpoint after each epoch, if anywhere.
        resume: continue the training whose checkpoints are there.

    Raises:
        ValueError: there are checkpoints of an interrupted training, and `resume` is `False`;
            or they are of another recipe, variant, seed, batch size or data.
    """
    model, data = recipe.model, recipe.data
    model.compile(optimizer=recipe.optimizer, loss=recipe.loss, metrics=list(recipe.metrics))
    callbacks = [*recipe.callbacks, *([ProgressBar()] if watch else [])]
    checkpoint = None
    if checkpoint_folder is not None:
        folder, training = Path(checkpoint_folder), identity(recipe)
        checkpoint = checkpoints.begin(training, folder, resume=resume)
        callbacks.append(checkpoint)  # last, so that it sees what the others changed
    start = time.perf_counter()
    history = model.fit(
        Batches(*data.train, batch_size=recipe.batch_size),
        shuffle=False,  # `Batches` did
        validation_data=(data.validation or data.test) if watch else None,
        epochs=recipe.epochs,
        validation_batch_size=recipe.batch_size,
        callbacks=callbacks,
        verbose=0,
    ).history
    seconds = time.perf_counter() - start
    if checkpoint:
        history, seconds = checkpoint.history, checkpoint.seconds
        checkpoints.complete(training, folder)
    test = model.evaluate(*data.test, batch_size=recipe.batch_size, verbose=0, return_dict=True)
    return Result(
        recipe=recipe,
        test={name: float(value) for name, value in test.items()},
        history=history,
        seconds=seconds,
    )


def identity(recipe: Recipe) -> dict[str, Any]:
    """What tells a training from others; it may be continued for more epochs."""
    return {
        "recipe": recipe.name,
        "variant": recipe.variant,
        "seed": recipe.seed,
        "batch_size": recipe.batch_size,
        "data_sha256": recipe.data.sha256(),
    }


def baselines(recipe: Recipe) -> dict[str, float]:
    """The score of each baseline on the recipe's data, by its name."""
    return {name: float(score(recipe.data)) for name, score in recipe.baselines.items()}


def provenance(recipe: Recipe) -> dict[str, Any]:
    """What a number of this recipe depends on, to stand beside the number."""
    return {
        "recipe": recipe.name,
        "variant": recipe.variant,
        "task": recipe.task,
        "data": asdict(recipe.data.source) if recipe.data.source else None,
        "parameters": recipe.model.count_params(),
        "epochs": recipe.epochs,
        "batch_size": recipe.batch_size,
        **process.provenance(),
    }


def save(result: Result, folder: str | Path) -> dict[str, Any]:
    """Writes model, card, pictures and `metrics.json` to `folder`, each complete or not at all.

    Returns:
        The content of `metrics.json`, which is written last.
    """
    folder, recipe = Path(folder), result.recipe
    # Without the optimizer, which is twice the model's size; the checkpoints have it.
    model = keras.Model(recipe.model.input, recipe.model.output, name=recipe.model.name)
    ka.save_model(model, folder / "model.keras")
    curves = plots.training_curves(
        result.history, held_out="validation" if recipe.data.validation else "test"
    )
    figures = {"training_curves": curves, **recipe.pictures(recipe.model, recipe.data)}
    for name, figure in figures.items():
        with complete(folder / f"{name}.png") as temporary:
            figure.savefig(temporary, dpi=150)
    metrics = {
        "test": result.test,
        "baselines": {name: {recipe.score: value} for name, value in baselines(recipe).items()},
        "seconds": round(result.seconds, 2),
        "seed": recipe.seed,
        "data_sha256": recipe.data.sha256(),
        **provenance(recipe),
    }
    card.write(folder / "model.keras", metrics)
    write_json(folder / "metrics.json", metrics)
    return metrics


def repeat(make: Callable[[int], Recipe], *, seeds: range) -> dict[str, Any]:
    """Trains one recipe per seed and prints each score; the spread is part of the result.

    Args:
        make: the recipe of a seed, which sets initial weights, order and, if the dataset has no
            fixed one, the split.
        seeds: of the trainings.

    Returns:
        Scores of the model and of its baselines: per seed, mean and standard deviation (of the
        population); and the `provenance`.

    Raises:
        ValueError: there are no seeds.
    """
    if not seeds:
        raise ValueError(f"`seeds` must not be empty. Received: seeds={seeds}")
    runs = []
    for seed in seeds:
        recipe = make(seed)
        result = train(recipe, watch=False)
        score = result.test[recipe.score]
        runs.append(
            {
                "seed": seed,
                "model": score,
                **baselines(recipe),
                "seconds": round(result.seconds, 2),
                "data_sha256": recipe.data.sha256(),
            }
        )
        print(f"seed {seed}: {recipe.score} {score:.4f} ({result.seconds:.1f} s)", flush=True)
    summary = {
        name: {
            "mean": float(np.mean([run[name] for run in runs])),
            "std": float(np.std([run[name] for run in runs])),
        }
        for name in ("model", *recipe.baselines, "seconds")
    }
    return {"score": recipe.score, "summary": summary, "runs": runs, **provenance(recipe)}


def summary(metrics: Mapping[str, Any]) -> str:
    """The content of `metrics.json` in two lines."""
    test = ", ".join(f"{name} {value:.4f}" for name, value in metrics["test"].items())
    beside = "; ".join(
        f"{name}: " + ", ".join(f"{metric} {value:.4f}" for metric, value in scores.items())
        for name, scores in metrics["baselines"].items()
    )
    return (
        f"Test: {test}" + (f" ({beside})" if beside else "") + "\n"
        f"{metrics['parameters']:,} parameters, {metrics['epochs']} epochs in "
        f"{metrics['seconds']:.1f} s on {metrics['device']} ({metrics['backend']})"
    )


def table(study: Mapping[str, Any]) -> str:
    """What `repeat` measured, in lines."""
    rows = [
        f"  {name:<24}{spread['mean']:10.4f} ± {spread['std']:.4f}"
        for name, spread in study["summary"].items()
    ]
    return "\n".join(
        [
            f"{study['score']} on the test split, mean ± standard deviation of "
            f"{len(study['runs'])} seeds ({study['recipe']} {study['variant']}, "
            f"{study['parameters']:,} parameters, {study['backend']})",
            *rows,
        ]
    )
