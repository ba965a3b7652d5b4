"""Trains a model of your own data, or a recipe of the zoo; writes model, metrics and pictures.

Example:

    keras-attention train text-classification --data reviews.csv --text review --label stars
    keras-attention train iris
"""

import argparse
from functools import partial

from zoo import recipes
from zoo.program import console, train_recipe, train_task


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `train`; those of a task or a recipe are read once it is known."""
    tasks = {name: train_task.promise(name) for name in train_task.names()}
    known = {name: recipes.promise(name) for name in recipes.names()}
    width = max(map(len, (*tasks, *known))) + 1
    parser.epilog = "\n".join(
        [
            "tasks, of your own data:",
            *(f"  {name:<{width}} {promise}" for name, promise in tasks.items()),
            "recipes:",
            *(f"  {name:<{width}} {promise}" for name, promise in known.items()),
            "",
            f"`{parser.prog} NAME --help` has the options of each.",
        ]
    )
    kind = console.one_of("task or recipe", [*tasks, *known])
    parser.add_argument("name", metavar="NAME", type=kind, help="a task or a recipe, see below")
    parser.add_argument("words", nargs=argparse.REMAINDER, metavar="...", help="its options")
    parser.set_defaults(prog=parser.prog)


def run(args: argparse.Namespace) -> None:
    """Trains a task or a recipe with the words that are left."""
    is_task = args.name in train_task.names()
    parser = console.Parser(
        prog=f"{args.prog} {args.name}",
        description=train_task.describe(args.name) if is_task else recipes.promise(args.name),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    trainer = train_task if is_task else train_recipe
    trainer.add_arguments(parser, args.name)
    console.run(partial(trainer.run, args.name), parser, args.words)
