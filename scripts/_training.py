"""The arguments of `train.py`."""

import argparse
from pathlib import Path

import _console

from zoo import recipes

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")


def parse(description: str) -> argparse.Namespace:
    names = recipes.names()
    width = max(map(len, names)) + 1
    parser = _console.Parser(
        description=description,
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
