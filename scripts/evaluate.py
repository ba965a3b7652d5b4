"""Measures a trained model on the test data of its recipe, and says if it gives what it gave."""

import argparse
import json
from pathlib import Path

import _backend


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, help="a .keras file that scripts/train.py wrote")
    parser.add_argument("--recipe", help="instead of that of the metrics.json beside the model")
    parser.add_argument("--variant", help="likewise")
    parser.add_argument("--seed", type=int, help="likewise; of the split, where it has one")
    parser.add_argument("--smoke", action="store_true", help="on the recipe's made-up data")
    return parser.parse_args()


def main() -> None:
    args = parse()
    beside = args.model.parent / "metrics.json"
    known = json.loads(beside.read_text()) if beside.exists() else {}
    about = {
        name: getattr(args, name) if getattr(args, name) is not None else known.get(name)
        for name in ("recipe", "variant", "seed")
    }
    if about["recipe"] is None:
        raise SystemExit(f"{beside} is not there to say what {args.model} is; pass --recipe.")
    _backend.choose()
    import keras_attention as ka
    from zoo import experiment, recipes

    settings = {name: about[name] for name in ("variant", "seed") if about[name] is not None}
    recipe = recipes.load(about["recipe"])(smoke=args.smoke, **settings)
    model = ka.load_model(args.model)
    experiment.compile_model(recipe, model)
    then = known.get("test", {}) if recipe.data.sha256() == known.get("data_sha256") else {}
    for name, value in experiment.evaluate(recipe, model).items():
        trained = f"   {then[name]:10.4f} when it was trained" if name in then else ""
        print(f"{name:<28}{value:10.4f}{trained}")
    if known and not then:
        print("The model was trained on other data than this.")
    print(f'Next: python scripts/predict.py {args.model} "..."')


if __name__ == "__main__":
    main()
