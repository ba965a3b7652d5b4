"""The training of a recipe of the zoo: its options, and what is printed."""

import argparse
from functools import partial
from pathlib import Path

from zoo import recipes
from zoo.program import console, training


def add_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    """Adds the options of the recipe `name`."""
    add, count, variants = parser.add_argument, console.at_least(1), recipes.variants(name)
    add(
        "--variant",
        type=console.one_of(f"variant of {name}", variants),
        help=f"of the model: {', '.join(variants)}",
    )
    add("--epochs", type=count, help="instead of the recipe's own")
    add("--batch-size", type=count, help="instead of the recipe's own")
    add("--seed", type=console.at_least(0), default=0, help="of the weights, order and split")
    add(
        "--init",
        metavar="SOURCE",
        help="published encoder to start from: a folder or hf://user/name",
    )
    add("--lora", type=count, metavar="RANK", help="train adapters of that rank, not its weights")
    add("--smoke", action="store_true", help="see in seconds that it all runs")
    add("--repeats", type=count, metavar="N", help="measure the spread over N seeds as well")
    training.add_arguments(parser, output=f"runs/{name}, or runs/{name}-smoke with --smoke")


def run(name: str, args: argparse.Namespace) -> None:
    """Trains a recipe, and prints how good the model is and what to do with it."""
    if args.repeats and args.resume:
        raise argparse.ArgumentTypeError(
            "--repeats leaves no checkpoints that --resume could continue from"
        )
    if args.lora and not args.init:
        raise argparse.ArgumentTypeError("--lora adapts a published encoder: pass --init as well")
    folder = args.output or Path("runs") / (name + "-smoke" * args.smoke)
    folder.mkdir(parents=True, exist_ok=True)  # fails here, not when all is trained
    backend = training.begin(args)
    from zoo.harness import experiment, reports

    settings = {n: getattr(args, n) for n in ("smoke", "epochs", "batch_size")}
    settings["variant"] = args.variant or ("tiny" if args.smoke else "default")
    recipe_of = recipes.load(name)
    if args.init:
        from zoo.tasks import fine_tuning

        settings["init"] = fine_tuning.make_init(recipe_of, args.init, lora=args.lora)
    make = partial(experiment.configure, recipe_of, **settings)
    recipe, first = make(args.seed), None
    print(reports.format_terms(recipe.data.source), flush=True)
    if not args.repeats:
        first = experiment.train(
            recipe, checkpoint_folder=folder / "checkpoints", resume=args.resume
        )
        metrics = reports.save(first, folder)
        if args.smoke:
            print(f"It runs. What {folder} holds says nothing: scores and pictures of a moment.")
            print(f"Next: python scripts/train.py {name}")
            return
        print(reports.format_summary(metrics))
    repeats = args.repeats or recipe.splits
    if repeats > 1:
        seeds = range(args.seed, args.seed + repeats)
        print(reports.format_table(reports.repeat(make, seeds=seeds, folder=folder, first=first)))
    training.print_end(recipe, folder, backend)
