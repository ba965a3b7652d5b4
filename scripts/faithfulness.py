"""Measures how faithful explanations of a trained model are, and writes docs/faithfulness.md."""

import argparse
import json
from pathlib import Path

import _backend
import _console
import _paths

ROOT = Path(__file__).parents[1]


def parse() -> argparse.Namespace:
    parser = _console.Parser(description=__doc__)
    parser.add_argument(
        "model",
        type=_paths.file,
        nargs="?",
        help="a .keras file beside the metrics.json that scripts/train.py wrote; without one the "
        "page is written anew from what was measured before",
    )
    parser.add_argument(
        "--inputs", type=_console.at_least(1), default=100, metavar="N", help="of the test data"
    )
    parser.add_argument("--seed", type=int, default=0, help="of their choice and of all else")
    parser.add_argument("--methods", nargs="+", help="names in ka.explain; all that apply")
    parser.add_argument(
        "--draws", type=_console.at_least(1), default=5, help="random rankings of each input"
    )
    parser.add_argument("--batch-size", type=_console.at_least(1), default=64)
    parser.add_argument("--smoke", action="store_true", help="on the recipe's made-up data")
    parser.add_argument("--output", type=Path, default=ROOT / "docs", help="instead of docs/")
    return parser.parse_args()


def main() -> None:
    args = parse()
    _backend.choose()
    from keras_attention.saving.files import complete, write_json, write_text
    from zoo.harness import faithfulness

    folder = args.output / "faithfulness"
    if args.model:
        name, figure, record = measured(args)
        folder.mkdir(parents=True, exist_ok=True)
        with complete(folder / f"{name}.png") as temporary:
            figure.savefig(temporary, dpi=110)
        write_json(folder / f"{name}.json", record)
        print(record["tables"]["faithfulness"], record["tables"]["randomization"], sep="\n\n")
    records = [json.loads(p.read_text(encoding="utf-8")) for p in sorted(folder.glob("*.json"))]
    write_text(args.output / "faithfulness.md", faithfulness.page(records) + "\n")
    print(f"{len(records)} models are in {args.output / 'faithfulness.md'}.")


def measured(args: argparse.Namespace) -> tuple:
    import keras_attention as ka
    from zoo import recipes
    from zoo.harness import faithfulness
    from zoo.harness.provenance import provenance

    known = _paths.record(args.model.parent / "metrics.json")
    about = {name: known[name] for name in ("recipe", "variant", "score", "test", "data_sha256")}
    recipe = recipes.load(known["recipe"])(
        variant=known["variant"], seed=known["seed"], smoke=args.smoke
    )
    if recipe.data.sha256() != known["data_sha256"]:
        raise SystemExit(f"{args.model} was trained on other data than the recipe's of now.")
    model = ka.load_model(args.model)
    asked = faithfulness.questions(model, recipe, args.inputs, args.seed)
    found, record = faithfulness.measure(
        model, asked, args.methods, draws=args.draws, seed=args.seed, batch_size=args.batch_size
    )
    name = f"{known['recipe']}-{known['variant']}"
    title = f"{name}: mean of {len(found.whole)} inputs; dotted: reversed rankings"
    return name, found.figure(title=title), {**about, **record, **provenance()}


if __name__ == "__main__":
    _console.run(main)
