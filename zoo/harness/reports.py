"""Reports of trainings: model, card, pictures, metrics, and the spread of several."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

import keras_attention as ka
from keras_attention.saving import card
from keras_attention.saving.files import complete, write_json, write_text
from zoo.data import Source
from zoo.harness import charts, examples
from zoo.harness import provenance as process
from zoo.harness.animation import Animation
from zoo.harness.experiment import Recipe, Result, train

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def score_baselines(recipe: Recipe) -> dict[str, float]:
    """Returns the score of each baseline on the recipe's data, by its name."""
    return {name: float(score(recipe.data)) for name, score in recipe.baselines.items()}


def provenance(recipe: Recipe) -> dict[str, Any]:
    """Returns what the numbers of this recipe depend on."""
    return {
        "recipe": recipe.name,
        "variant": recipe.variant,
        "task": recipe.task,
        "score": recipe.score,
        "published": dict(recipe.published),
        **({"init": dict(recipe.init)} if recipe.init else {}),
        **({"request": dict(recipe.request)} if recipe.request else {}),
        **({"findings": list(recipe.findings)} if recipe.findings else {}),
        "data": asdict(recipe.data.source) if recipe.data.source else None,
        "parameters": recipe.model.count_params(),
        "epochs": recipe.epochs,
        "batch_size": recipe.batch_size,
        "precision": keras.config.dtype_policy().name,
        **process.provenance(),
    }


def save(result: Result, folder: str | Path) -> dict[str, Any]:
    """Writes model, card, pictures, an example of the inputs and `metrics.json` to `folder`, each
    complete or not at all.

    Returns:
        The content of `metrics.json`, which is written last.
    """
    folder, recipe = Path(folder), result.recipe
    # Without the optimizer, which is twice the model's size; the checkpoints have it.
    model = keras.Model(recipe.model.input, recipe.model.output, name=recipe.model.name)
    ka.save_model(model, folder / "model.keras")
    curves = charts.training_curves(
        result.history, held_out="validation" if recipe.data.validation else "test"
    )
    figures = {"training_curves": curves, **recipe.pictures(recipe.model, recipe.data)}
    for name, figure in figures.items():
        draw(figure, folder / name)
    beside = score_baselines(recipe)
    metrics = {
        "test": result.test,
        "baselines": {name: {recipe.score: value} for name, value in beside.items()},
        "seconds": round(result.seconds, 2),
        "seed": recipe.seed,
        "data_sha256": recipe.data.sha256(),
        **provenance(recipe),
    }
    write_history(result, folder / "history.json")
    write_mistakes(recipe.mistakes(recipe.model, recipe.data), folder / "mistakes.csv")
    examples.write(model, recipe.data.test[0], folder)
    card.write(folder / "model.keras", metrics)
    write_json(folder / "metrics.json", metrics)
    return metrics


def draw(figure: "Figure | Animation", path: Path) -> None:
    """Writes a figure as a PNG file, or an animation as a GIF."""
    if isinstance(figure, Animation):
        with complete(path.with_suffix(".gif")) as temporary:
            figure.save(temporary)
    else:
        with complete(path.with_suffix(".png")) as temporary:
            figure.savefig(temporary, dpi=150)


def write_mistakes(mistakes: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Writes wrong answers as CSV, if there are any; those of an earlier training go."""
    if not mistakes:
        path.unlink(missing_ok=True)
    else:
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, list(mistakes[0]))
        writer.writeheader()
        writer.writerows(mistakes)
        write_text(path, text.getvalue())


def write_history(result: Result, path: Path) -> None:
    """Writes loss and metrics by epoch, for `scripts/curves.py`, and which training's they are."""
    about = {name: getattr(result.recipe, name) for name in ("name", "variant", "seed")}
    write_json(path, {**about, "history": result.history})


def repeat(
    make: Callable[[int], Recipe],
    *,
    seeds: range,
    folder: str | Path | None = None,
    first: Result | None = None,
) -> dict[str, Any]:
    """Trains one recipe per seed and prints each score; the spread is part of the result.

    Args:
        make: the recipe of a seed, which sets initial weights, order and, if the dataset has no
            fixed one, the split.
        seeds: of the trainings.
        folder: where to leave what the first of them gave, as `save` does, each one's
            `history-SEED.json` and the returned `repeats.json`, if anywhere.
        first: what the first of them gave, if it was trained and saved already.

    Returns:
        Scores of the model and of its baselines: per seed, mean and standard deviation (of the
        population); and the `provenance`.

    Raises:
        ValueError: there are no seeds.
    """
    if not seeds:
        raise ValueError(f"`seeds` must not be empty. Received: seeds={seeds}")
    runs: list[dict[str, Any]] = []
    beside: dict[str, dict[str, float]] = {}  # by the digest of the data, often one for all seeds
    for seed in seeds:
        begins = seed == seeds[0]
        result = first if begins and first else train(make(seed), watch=begins and bool(folder))
        recipe = result.recipe
        score, data = result.test[recipe.score], recipe.data.sha256()
        if folder is not None:
            write_history(result, Path(folder) / f"history-{seed}.json")
        if begins and folder is not None and not first:
            saved = save(result, folder)["baselines"]
            beside[data] = {name: saved[name][recipe.score] for name in saved}
        elif data not in beside:
            beside[data] = score_baselines(recipe)
        runs.append(
            {
                "seed": seed,
                "model": score,
                **beside[data],
                "seconds": round(result.seconds, 2),
                "test": result.test,
                "data_sha256": data,
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
    study = {"summary": summary, "runs": runs, **provenance(recipe)}
    if folder is not None:
        write_json(Path(folder) / "repeats.json", study)
    return study


def format_summary(metrics: Mapping[str, Any]) -> str:
    """Returns the content of `metrics.json` in two lines."""
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


def format_table(study: Mapping[str, Any]) -> str:
    """Returns what `repeat` measured, a line for the model and each baseline."""
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


def format_terms(source: Source | None) -> str:
    """Returns origin, licence and citation of data, a line each."""
    if source is None:
        return "Data: made by the recipe."
    if not source.url:
        return f"Data: {source.name}"
    return f"Data: {source.name}, {source.url}\nLicence: {source.license}\nCite: {source.citation}"
