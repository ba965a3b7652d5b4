"""Trains a recipe of the zoo and writes model, metrics and pictures to a folder."""

import argparse
from functools import partial
from pathlib import Path

import _backend
import _ending

from zoo import recipes


def parse() -> argparse.Namespace:
    names = recipes.names()
    width = max(map(len, names)) + 1
    listing = "\n".join(f"  {name:<{width}} {recipes.promise(name)}" for name in names)
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=f"recipes:\n{listing}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("recipe", metavar="RECIPE", choices=names, help="see below")
    parser.add_argument("--variant", help="of the model; see the recipe's file")
    parser.add_argument("--epochs", type=int, help="instead of the recipe's own")
    parser.add_argument("--batch-size", type=int, help="instead of the recipe's own")
    parser.add_argument("--seed", type=int, default=0, help="of the weights, order and split")
    parser.add_argument("--precision", help="float32 (default), mixed_bfloat16, mixed_float16")
    parser.add_argument("--output", type=Path, help="folder; runs/RECIPE by default")
    parser.add_argument("--smoke", action="store_true", help="see in seconds that it all runs")
    parser.add_argument(
        "--resume",
        action="store_true",
        help="continue an interrupted training from OUTPUT/checkpoints, or begin if there are none",
    )
    repeats = "measure the spread over N seeds as well"
    parser.add_argument("--repeats", type=int, metavar="N", help=repeats)
    args = parser.parse_args()
    if args.repeats and args.resume:
        parser.error("--repeats leaves no checkpoints that --resume could continue from")
    return args


def main() -> None:
    args = parse()
    backend = _backend.choose()
    _backend.keep_memory()
    import keras

    from keras_attention.saving.files import write_json
    from zoo import experiment, reports

    if args.precision:
        keras.config.set_dtype_policy(args.precision)
    folder = args.output or Path("runs") / args.recipe
    make = partial(
        experiment.configure,
        recipes.load(args.recipe),
        variant=args.variant or ("tiny" if args.smoke else "default"),
        smoke=args.smoke,
        epochs=args.epochs,
        batch_size=args.batch_size,
    )
    if args.repeats:
        seeds = range(args.seed, args.seed + args.repeats)
        study = reports.repeat(make, seeds=seeds, folder=folder)
        write_json(folder / "repeats.json", study)
        print(reports.table(study))
        print(f"Next: see each run in {folder / 'repeats.json'}.")
        return
    recipe = make(args.seed)
    print(reports.terms(recipe.data.source), flush=True)
    checkpoints = folder / "checkpoints"
    result = experiment.train(recipe, checkpoint_folder=checkpoints, resume=args.resume)
    print(reports.summary(reports.save(result, folder)))
    print("Next:", recipe.next_step.format(folder=folder, backend=backend))


if __name__ == "__main__":
    with _ending.explained():
        main()
