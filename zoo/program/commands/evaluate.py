"""Measures a trained model on its test data, and says if it gives what it gave.

Example:

    keras-attention evaluate runs/text-classification-reviews --test new.csv
    keras-attention evaluate text_clinc
"""

import argparse
from collections.abc import Callable, Mapping
from typing import Any

from zoo import recipes
from zoo.program import backend, console, paths, training


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `evaluate`."""
    add = parser.add_argument
    add(
        "model",
        type=paths.saved_model,
        metavar="MODEL",
        help="a .keras file that a training wrote, or its folder",
    )
    add(
        "--test",
        "--data",
        type=paths.existing,
        metavar="PATH",
        help="other data, of a model of your own",
    )
    add("--recipe", help="instead of that of the metrics.json beside the model")
    add("--variant", help="likewise")
    add("--seed", type=console.at_least(0), help="likewise; of the split, where it has one")
    add("--smoke", action="store_true", help="on the recipe's made-up data")
    backend.add_argument(parser)


def run(args: argparse.Namespace) -> None:
    """Measures."""
    beside = args.model.parent / "metrics.json"
    known = paths.read_record(beside) if beside.exists() else {}
    request = {} if args.recipe else known.get("request", {})
    if args.recipe is None and "recipe" not in known:
        raise argparse.ArgumentTypeError(
            f"{beside} is not there to say what {args.model} is; pass --recipe"
        )
    make = ask_again(request, args) if request else find_recipe(known, args)
    chosen = backend.choose(args.backend)
    import keras_attention as ka
    from zoo.harness import experiment

    recipe = make()
    model = ka.load_model(args.model)
    if args.test:
        check_preparation(model, recipe.model)
    experiment.compile_model(recipe, model)
    same = recipe.data.sha256() == known.get("data_sha256")
    then = known.get("test", {}) if same else {}
    for name, value in experiment.evaluate(recipe, model).items():
        trained = f"   {then[name]:10.4f} when it was trained" if name in then else ""
        print(f"{name:<28}{value:10.4f}{trained}")
    if known and not then and not args.test:
        print("The model was trained on other data than this.")
    print("Next:", training.format_next_step(recipe.next_step, args.model, chosen))


def find_recipe(known: Mapping[str, Any], args: argparse.Namespace) -> Callable[[], Any]:
    """Returns what makes the recipe that a model is of."""
    if args.test:
        raise argparse.ArgumentTypeError("--test is for models of your own data, not of recipes.")
    asked = {
        name: known.get(name) if getattr(args, name) is None else getattr(args, name)
        for name in ("recipe", "variant", "seed")
    }
    name, variant = asked["recipe"], asked["variant"] or "default"
    console.one_of("recipe", recipes.names())(name)
    console.one_of(f"variant of {name}", recipes.variants(name))(variant)
    return lambda: recipes.load(name)(smoke=args.smoke, variant=variant, seed=asked["seed"] or 0)


def ask_again(request: Mapping[str, Any], args: argparse.Namespace) -> Callable[[], Any]:
    """Returns what asks the task for the training that a model is of, with other test data if
    given; what is trained on is the same, or the vocabulary, mean and the like would not be."""
    arguments = dict(request["arguments"])
    for name, value in arguments.items():
        if isinstance(value, Mapping):
            raise argparse.ArgumentTypeError(
                f"{args.model} was trained from Python on a {value['object']} as `{name}`, which "
                "cannot be read again. Measure it there: zoo.harness.experiment.evaluate."
            )
    if args.test and "test" not in arguments:
        raise argparse.ArgumentTypeError(f"--test: {request['task']} takes no other test data.")

    def make() -> Any:
        from zoo import tasks
        from zoo.readers import splitting

        task = getattr(tasks, request["task"])
        if not args.test:
            return task(**arguments).recipe
        parts = 3 if arguments["test"] is None else 2
        with splitting.keep_parts(parts):
            return task(**{**arguments, "test": args.test}).recipe

    return make


def check_preparation(model: Any, anew: Any) -> None:
    """Raises `ValueError` if a model prepares its inputs or answers otherwise than one that is
    made of the same data now, whose arrays would mean something else to it."""
    from keras_attention import prediction

    for ours, theirs in zip(
        *([*prediction.encoders(m).values(), prediction.decoder(m)] for m in (model, anew)),
        strict=True,
    ):
        configs = [
            {} if layer is None else {**layer.get_config(), "name": "", "dtype": ""}
            for layer in (ours, theirs)
        ]
        if configs[0] != configs[1]:
            raise ValueError(
                f"The data that {model.name!r} was trained on have changed: its layer "
                f"{ours.name!r} would be another one today. Train it again to measure it."
            )
