"""Measures how faithful explanations of a trained model are, and writes docs/faithfulness.md."""

import argparse
import sys
from pathlib import Path

from zoo.program import backend, console, paths

ROOT = Path(__file__).parents[1]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "model",
        type=paths.file,
        nargs="?",
        help="a .keras file beside the metrics.json that scripts/train.py wrote; without one the "
        "page is written anew from what was measured before",
    )
    parser.add_argument(
        "--inputs", type=console.at_least(1), default=100, metavar="N", help="of the test data"
    )
    parser.add_argument("--seed", type=int, default=0, help="of their choice and of all else")
    parser.add_argument("--methods", nargs="+", help="names in ka.explain; all that apply")
    parser.add_argument(
        "--draws", type=console.at_least(1), default=5, help="random rankings of each input"
    )
    parser.add_argument("--batch-size", type=console.at_least(1), default=64)
    parser.add_argument("--smoke", action="store_true", help="on the recipe's made-up data")
    parser.add_argument("--output", type=Path, default=ROOT / "docs", help="instead of docs/")


def run(args: argparse.Namespace) -> None:
    backend.choose()
    from keras_attention.saving.files import complete, write_text
    from zoo.harness import faithfulness_page, records

    folder = args.output / "faithfulness"
    if args.model:
        figure, record = measure(args)
        records.add([record], folder, key=("variant",))
        name = f"{record['recipe']}-{record['variant']}"
        with complete(folder / f"{name}.png") as temporary:
            figure.savefig(temporary, dpi=110)
        print(record["tables"]["faithfulness"], record["tables"]["randomization"], sep="\n\n")
    models = records.load(folder)
    write_text(args.output / "faithfulness.md", faithfulness_page.page(models) + "\n")
    print(f"{len(models)} models are in {args.output / 'faithfulness.md'}.")


def measure(args: argparse.Namespace) -> tuple:
    """Returns the figure of the curves, and the record of the model."""
    import keras_attention as ka
    from zoo import recipes
    from zoo.harness import faithfulness
    from zoo.harness.provenance import provenance

    known = paths.read_record(args.model.parent / "metrics.json")
    about = {name: known[name] for name in ("recipe", "variant", "score", "test", "data_sha256")}
    recipe = recipes.load(known["recipe"])(
        variant=known["variant"], seed=known["seed"], smoke=args.smoke
    )
    if recipe.data.sha256() != known["data_sha256"]:
        raise SystemExit(f"{args.model} was trained on other data than the recipe's of now.")
    model = ka.load_model(args.model)
    asked = faithfulness.questions(model, recipe, args.inputs, args.seed)
    measured, record = faithfulness.measure(
        model, asked, args.methods, draws=args.draws, seed=args.seed, batch_size=args.batch_size
    )
    title = f"{known['recipe']}-{known['variant']}: mean of {len(measured.whole)} inputs; "
    figure = measured.figure(title=title + "dotted: reversed rankings")
    return figure, {**about, **record, **provenance()}


if __name__ == "__main__":
    console.start(sys.modules[__name__])
