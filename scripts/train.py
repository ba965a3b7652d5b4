"""Trains a recipe of the zoo and writes model, metrics and pictures to a folder."""

import argparse
from functools import partial
from pathlib import Path

import _backend

from zoo import recipes


def parse() -> argparse.Namespace:
    listing = "\n".join(f"  {name:<12} {recipes.promise(name)}" for name in recipes.names())
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=f"recipes:\n{listing}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("recipe", metavar="RECIPE", choices=recipes.names(), help="see below")
    parser.add_argument("--variant", default="default", help="size of the model")
    parser.add_argument("--epochs", type=int, help="instead of the recipe's own")
    parser.add_argument("--batch-size", type=int, help="instead of the recipe's own")
    parser.add_argument("--seed", type=int, default=0, help="of the weights, order and split")
    parser.add_argument("--output", type=Path, help="folder; runs/RECIPE by default")
    parser.add_argument("--smoke", action="store_true", help="see in seconds that it all runs")
    parser.add_argument(
        "--resume",
        action="store_true",
        help="continue an interrupted training from OUTPUT/checkpoints, or begin if there are none",
    )
    parser.add_argument(
        "--repeats", type=int, metavar="N", help="measure the spread over N seeds instead"
    )
    args = parser.parse_args()
    if args.repeats and args.resume:
        parser.error("--repeats leaves no checkpoints that --resume could continue from")
    return args


def main() -> None:
    args = parse()
    backend = _backend.choose()
    from keras_attention.saving.files import write_json
    from zoo import experiment

    folder = args.output or Path("runs") / args.recipe
    make = partial(
        experiment.configure,
        recipes.load(args.recipe),
        variant=args.variant,
        smoke=args.smoke,
        epochs=args.epochs,
        batch_size=args.batch_size,
    )
    if args.repeats:
        study = experiment.repeat(make, seeds=range(args.seed, args.seed + args.repeats))
        write_json(folder / "repeats.json", study)
        print(experiment.table(study))
        print(f"Next: see each split in {folder / 'repeats.json'}.")
        return
    checkpoints = folder / "checkpoints"
    result = experiment.train(make(args.seed), checkpoint_folder=checkpoints, resume=args.resume)
    metrics = experiment.save(result, folder)
    print(experiment.summary(metrics))
    print("Next:", result.recipe.next_step.format(folder=folder, backend=backend))


if __name__ == "__main__":
    main()
