"""Trains a recipe of the zoo and writes model, metrics and pictures to a folder."""

from functools import partial

import _backend
import _console
import _ending
import _training

from zoo import recipes


def main() -> None:
    args = _training.parse(__doc__)
    args.output.mkdir(parents=True, exist_ok=True)  # fails here, not when all is trained
    backend = _backend.choose()
    _backend.keep_memory()
    import keras

    from zoo.harness import experiment, reports

    if args.precision:
        keras.config.set_dtype_policy(args.precision)
    settings = {n: getattr(args, n) for n in ("variant", "smoke", "epochs", "batch_size")}
    recipe_of = recipes.load(args.recipe)
    if args.init:
        from zoo.tasks import fine_tuning

        settings["init"] = fine_tuning.make_init(recipe_of, args.init, lora=args.lora)
    make = partial(experiment.configure, recipe_of, **settings)
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


if __name__ == "__main__":
    with _ending.explain_exit():
        _console.run(main)
