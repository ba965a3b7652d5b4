"""Makes a trained model that comes along of what a recipe left, and measures the file itself.

    python scripts/train.py text_clinc
    python -m zoo.box.build runs/text_clinc --license cc-by-3.0
    KERAS_BACKEND=torch python -m zoo.box.build text_clinc --check

The first backend writes the file, with matrices in float16 if that leaves the score as it is, and
measures it; `--check` measures it on another one. Both write the table of docs/models.md anew.
"""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

import keras_attention as ka
from keras_attention.saving import card
from keras_attention.saving.files import write_json, write_text
from zoo import box, recipes
from zoo.harness import experiment

PAGE = Path(__file__).parents[2] / "docs" / "models.md"
_MOVED = 5e-4  # a score that moves by less stays as it is told
_BEGIN, _END = "<!-- table -->", "<!-- end of the table -->"


def build(run: str | Path, *, license: str) -> dict[str, Any]:
    """Writes the model of a training to the box: file, card and metrics.

    Args:
        run: the folder that the training of a recipe left.
        license: of the model, as Hugging Face calls it. That of the data must allow it.

    Returns:
        The content of its `metrics.json`.

    Raises:
        ValueError: the recipe's data are not those that the model was trained on.
    """
    run = Path(run)
    known = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    name, score = known["recipe"], known["score"]
    path = box.FOLDER / name / f"{name}.keras"
    model = ka.load_model(run / "model.keras")
    for weights_dtype in ("float16", None):
        ka.save_model(model, path, weights_dtype=weights_dtype)
        test = measure(path, known)
        if abs(test[score] - known["test"][score]) < _MOVED:
            break
    metrics = {
        **known,
        "license": license,
        "command": known["command"].replace(str(run), f"runs/{name}"),
        "weights_dtype": weights_dtype or "float32",
        "bytes": path.stat().st_size,
        "sha256": ka.saving.digest(path),
        "test": test,
        "test_when_trained": known["test"],
    }
    metrics["by_backend"] = {keras.backend.backend(): test[score]}
    card.write(path, metrics)
    write_json(path.parent / "metrics.json", metrics)
    return metrics


def check(name: str) -> dict[str, Any]:
    """Measures a model of the box on this backend, and adds its score to its `metrics.json`."""
    model = box.describe(name)
    score = measure(model.path, model.metrics)[model.score]
    by_backend = {**model.by_backend, keras.backend.backend(): score}
    metrics = {**model.metrics, "by_backend": by_backend}
    write_json(model.path.parent / "metrics.json", metrics)
    return metrics


def measure(path: Path, known: Mapping[str, Any]) -> dict[str, float]:
    """Returns loss and metrics of a file on the test data of the recipe that it is of.

    Raises:
        ValueError: the recipe's data are not those that the model was trained on.
    """
    make = recipes.load(known["recipe"])
    recipe = make(smoke=False, variant=known["variant"], seed=known["seed"])
    if recipe.data.sha256() != known["data_sha256"]:
        raise ValueError(f"{path} was trained on other data than {known['recipe']} has here.")
    model = ka.load_model(path)
    experiment.compile_model(recipe, model)
    return experiment.evaluate(recipe, model)


def write_page() -> None:
    """Writes the table of docs/models.md anew, between its marks."""
    page = PAGE.read_text(encoding="utf-8")
    before, rest = page[: page.index(_BEGIN)], page[page.index(_END) :]
    write_text(PAGE, f"{before}{_BEGIN}\n\n{box.table()}\n\n{rest}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", help="folder that a training left; a name, with --check")
    parser.add_argument("--license", help="of the model, such as apache-2.0 or cc-by-sa-4.0")
    parser.add_argument("--check", action="store_true", help="measure what is in the box")
    args = parser.parse_args()
    if args.check == bool(args.license):
        parser.error("pass either --license, to build, or --check")
    metrics = check(args.model) if args.check else build(args.model, license=args.license)
    print(f"{metrics['recipe']}: {metrics['bytes']:,} bytes, {metrics['score']}:")
    for backend, value in metrics["by_backend"].items():
        print(f"  {value:.4f} on {backend}")
    print(f"  {metrics['test_when_trained'][metrics['score']]:.4f} when it was trained")
    if PAGE.exists():
        write_page()


if __name__ == "__main__":
    main()
