"""Asks a model about raw input: text, pictures, recordings, rows of a table or a graph."""

import argparse
from pathlib import Path
from typing import Any

import _backend


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", help="a .keras file, or hf://user/name")
    parser.add_argument(
        "inputs",
        nargs="+",
        metavar="INPUT",
        help="texts, rows of a table as CSV, or paths of PNG, JPEG, WAV, .csv (with a header) or "
        ".npz files (an array for each input of the model)",
    )
    parser.add_argument("--image", help="PNG or JPEG file that the INPUTs are questions about")
    parser.add_argument("--top", type=int, default=3, help="how many classes to name; 3")
    return parser.parse_args()


def lines(answer: Any, top: int) -> str:
    """An answer as a person reads it."""
    if isinstance(answer, dict):  # of a regression
        return "\n".join(f"  {name}: {value}" for name, value in answer.items())
    if isinstance(answer, list):  # of words or nodes
        parts = [a if isinstance(a, tuple) else (number, a) for number, a in enumerate(answer)]
        return "\n".join(f"  {name}\t{each}" for name, each in parts)
    ranking = getattr(answer, "ranking", None)
    if ranking is None:  # of a model that names nothing
        return f"  {answer}"
    if hasattr(answer, "value"):  # of a Q-network, whose values are no shares
        return "\n".join(f"  {name} {value:.2f}" for name, value in ranking[:top])
    return "\n".join(f"  {name} {share:.1%}" for name, share in ranking[:top])


def main() -> None:
    args = parse()
    _backend.choose()
    import keras_attention as ka
    from keras_attention import prediction

    model = ka.load_model(args.model)
    together = [name for name in args.inputs if prediction.names_batch(model, name)]
    alone = [name for name in args.inputs if name not in together]
    for name in together:
        answers = ka.predict(model, Path(name))
        for number, answer in enumerate(answers):
            print(f"{name}" + (f", {number + 1}" if len(answers) > 1 else ""))
            print(lines(answer, args.top))
    if not alone:
        return
    answers = ka.predict(model, prediction.from_arguments(model, alone, image=args.image))
    for name, answer in zip(alone, answers, strict=True):
        print(name)
        print(lines(answer, args.top))


if __name__ == "__main__":
    main()
