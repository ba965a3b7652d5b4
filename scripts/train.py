"""Trains a recipe of the zoo and writes model, metrics and pictures to a folder."""

import argparse
import inspect
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import _backend
import _console
import _ending

from zoo import recipes

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")


def parse() -> argparse.Namespace:
    names = recipes.names()
    width = max(map(len, names)) + 1
    parser = _console.Parser(
        description=__doc__,
        epilog="\n".join(["recipes:", *(f"  {n:<{width}} {recipes.promise(n)}" for n in names)]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add, count = parser.add_argument, _console.at_least(1)
    add("recipe", metavar="RECIPE", type=_console.one_of("recipe", names), help="see below")
    add("--variant", help="of the model; see the recipe's file")
    add("--epochs", type=count, help="instead of the recipe's own")
    add("--batch-size", type=count, help="instead of the recipe's own")
    add("--seed", type=_console.at_least(0), default=0, help="of the weights, order and split")
    precision = _console.one_of("precision", PRECISIONS)
    add("--precision", type=precision, help=", ".join(PRECISIONS))
    add("--output", type=Path, help="folder; runs/RECIPE, or runs/RECIPE-smoke with --smoke")
    add(
        "--init",
        metavar="SOURCE",
        help="published encoder to start from: a folder or hf://user/name",
    )
    add("--lora", type=count, metavar="RANK", help="train adapters of that rank, not its weights")
    add("--smoke", action="store_true", help="see in seconds that it all runs")
    add("--resume", action="store_true", help="go on from OUTPUT/checkpoints, or begin")
    add("--repeats", type=count, metavar="N", help="measure the spread over N seeds as well")
    args = parser.parse_args()
    if args.repeats and args.resume:
        parser.error("--repeats leaves no checkpoints that --resume could continue from")
    args.variant = args.variant or ("tiny" if args.smoke else "default")
    variants = recipes.variants(args.recipe)
    parser.check(_console.one_of(f"variant of {args.recipe}", variants), args.variant)
    if args.lora and not args.init:
        parser.error("--lora adapts a published encoder: pass --init as well")
    args.output = args.output or Path("runs") / (args.recipe + "-smoke" * args.smoke)
    return args


def main() -> None:
    args = parse()
    args.output.mkdir(parents=True, exist_ok=True)  # fails here, not when all is trained
    backend = _backend.choose()
    _backend.keep_memory()
    import keras

    from zoo.harness import experiment, reports

    if args.precision:
        keras.config.set_dtype_policy(args.precision)
    settings = {n: getattr(args, n) for n in ("variant", "smoke", "epochs", "batch_size")}
    load = recipes.load(args.recipe)
    if args.init:
        settings["init"] = _make_init(args, load)
    make = partial(experiment.configure, load, **settings)
    recipe, first, folder = make(args.seed), None, args.output
    print(reports.format_terms(recipe.data.source), flush=True)
    if not args.repeats:
        first = experiment.train(
            recipe, checkpoint_folder=folder / "checkpoints", resume=args.resume
        )
        metrics = reports.save(first, folder)
        if args.smoke:
            print(f"It runs. What {folder} holds says nothing: scores and pictures of a moment.")
            print(f"Next: python scripts/train.py {args.recipe}")
            return
        print(reports.format_summary(metrics))
    repeats = args.repeats or recipe.splits
    if repeats > 1:
        seeds = range(args.seed, args.seed + repeats)
        print(reports.format_table(reports.repeat(make, seeds=seeds, folder=folder, first=first)))
    print("Next:", recipe.next_step.format(folder=folder, backend=backend))


def _make_init(args: argparse.Namespace, recipe: Callable) -> Any:
    """Returns what a recipe starts from.

    Raises:
        ValueError: the recipe starts from scratch alone.
    """
    from zoo.tasks.fine_tuning import Init

    if "init" not in inspect.signature(recipe).parameters:
        raise ValueError(f"The recipe {args.recipe!r} starts from scratch: leave --init out.")
    return Init(args.init, args.lora)


if __name__ == "__main__":
    with _ending.explain_exit():
        _console.run(main)
