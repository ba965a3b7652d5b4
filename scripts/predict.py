"""Asks a model about raw input: text, pictures, recordings, rows of a table or a graph."""

import argparse
from pathlib import Path
from typing import Any

import _backend
import _console
import _inputs
import _paths


def parse() -> argparse.Namespace:
    parser = _console.Parser(description=__doc__)
    parser.add_argument("model", type=_paths.model, help="a .keras file, or hf://user/name")
    parser.add_argument(
        "inputs",
        nargs="+",
        metavar="INPUT",
        help="texts, rows of a table as CSV, or paths of PNG, JPEG, WAV, .csv (with a header) or "
        ".npz files (an array for each input of the model)",
    )
    parser.add_argument("--image", help="PNG or JPEG file that the INPUTs are questions about")
    parser.add_argument("--text", help="the text that the INPUTs are questions about")
    parser.add_argument(
        "--top", type=_console.at_least(1), default=3, help="how many classes to name; 3"
    )
    return parser.parse_args()


def format_answer(answer: Any, top: int) -> str:
    """Returns an answer as a person reads it."""
    if isinstance(answer, dict):  # of a regression
        return "\n".join(f"  {name}: {value}" for name, value in answer.items())
    masks = getattr(answer, "masks", None)
    if masks is not None:  # of a masked language model
        return "\n".join([f"  {answer}", *(format_answer(mask, top) for mask in masks)])
    if isinstance(answer, list):  # of words or nodes
        parts = [a if isinstance(a, tuple) else (number, a) for number, a in enumerate(answer)]
        entities = [f"  {entity}" for entity in getattr(answer, "entities", ())]
        return "\n".join([*(f"  {name}\t{each}" for name, each in parts), *entities])
    ranking = getattr(answer, "ranking", None)
    if ranking is None:  # of a model that names nothing
        return f"  {answer}"
    if hasattr(answer, "value"):  # of a Q-network, whose values are no shares
        return "\n".join(f"  {name} {value:.2f}" for name, value in ranking[:top])
    return "\n".join(f"  {name} {share:.1%}" for name, share in ranking[:top])


def main() -> None:
    args = parse()
    raw = _inputs.read(_inputs.find_kinds(args.model), args.inputs, args.image)
    _backend.choose()
    import keras_attention as ka
    from keras_attention import prediction

    model = ka.load_model(args.model)
    single = [each for each in raw if not _inputs.holds_rows(each)]
    for file in filter(_inputs.holds_rows, raw):
        answers = ka.predict(model, file)
        for number, answer in enumerate(answers):
            print(f"{file}" + (f", {number + 1}" if len(answers) > 1 else ""))
            print(format_answer(answer, args.top))
    if not single:
        return
    given = single if args.text is None else [(each, args.text) for each in single]
    paired_inputs = prediction.add_image(model, given, image=args.image and Path(args.image))
    if prediction.writes_text(model):
        answers = ka.generate(model, paired_inputs, max_new_tokens=100)
    else:
        answers = ka.predict(model, paired_inputs)
    for name, answer in zip(single, answers, strict=True):
        print(name)
        print(format_answer(answer, args.top))


if __name__ == "__main__":
    _console.run(main)
