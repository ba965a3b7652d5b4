"""Measures a trained model on the test data of its recipe, and says if it gives what it gave."""

import argparse

import _backend
import _console
import _paths

from zoo import recipes


def parse() -> argparse.Namespace:
    parser = _console.Parser(description=__doc__)
    parser.add_argument("model", type=_paths.file, help="a .keras file that scripts/train.py wrote")
    parser.add_argument("--recipe", help="instead of that of the metrics.json beside the model")
    parser.add_argument("--variant", help="likewise")
    parser.add_argument(
        "--seed", type=_console.at_least(0), help="likewise; of the split, where it has one"
    )
    parser.add_argument("--smoke", action="store_true", help="on the recipe's made-up data")
    args = parser.parse_args()
    beside = args.model.parent / "metrics.json"
    args.known = _paths.read_record(beside) if beside.exists() else {}
    for name in ("recipe", "variant", "seed"):
        if getattr(args, name) is None:
            setattr(args, name, args.known.get(name))
    if args.recipe is None:
        parser.error(f"{beside} is not there to say what {args.model} is; pass --recipe")
    parser.check(_console.one_of("recipe", recipes.names()), args.recipe)
    args.variant = args.variant or "default"
    variants = recipes.variants(args.recipe)
    parser.check(_console.one_of(f"variant of {args.recipe}", variants), args.variant)
    return args


def main() -> None:
    args = parse()
    backend = _backend.choose()
    import keras_attention as ka
    from zoo.harness import experiment

    make = recipes.load(args.recipe)
    recipe = make(smoke=args.smoke, variant=args.variant, seed=args.seed or 0)
    model = ka.load_model(args.model)
    experiment.compile_model(recipe, model)
    known = args.known
    then = known.get("test", {}) if recipe.data.sha256() == known.get("data_sha256") else {}
    for name, value in experiment.evaluate(recipe, model).items():
        trained = f"   {then[name]:10.4f} when it was trained" if name in then else ""
        print(f"{name:<28}{value:10.4f}{trained}")
    if known and not then:
        print("The model was trained on other data than this.")
    print("Next:", recipe.next_step.format(folder=args.model.parent, backend=backend))


if __name__ == "__main__":
    _console.run(main)
