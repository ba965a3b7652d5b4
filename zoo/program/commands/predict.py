"""Answers raw input: text, pictures, recordings, rows of a table or a graph.

Example:

    keras-attention predict text_clinc "what is my balance"
    keras-attention predict text_clinc --data questions.csv --column question
"""

import argparse
from pathlib import Path
from typing import Any

from zoo.program import backend, console, inputs, paths


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `predict`."""
    add = parser.add_argument
    add("model", type=paths.model, metavar="MODEL", help=paths.MODEL)
    add(
        "inputs",
        nargs="*",
        metavar="INPUT",
        help="texts, rows of a table as CSV, or paths of PNG, JPEG, WAV, .csv (with a header) or "
        ".npz files (an array for each input of the model)",
    )
    add("--image", help="PNG or JPEG file that the INPUTs are questions about")
    add("--text", help="the text that the INPUTs are questions about")
    add("--top", type=console.at_least(1), default=3, help="how many classes to name; 3")
    add("--data", type=paths.file, help="table whose rows are answered, instead of INPUTs")
    add("--column", help="of --data, with the texts or the paths of files")
    add("--output", type=paths.table, help="table of --data and the answers; answers.csv")
    backend.add_argument(parser)


def run(args: argparse.Namespace) -> None:
    """Answers."""
    check(args)
    kinds = inputs.find_kinds(args.model)
    raw = inputs.read(kinds, args.inputs, args.image) if args.inputs else []
    backend.choose(args.backend)
    import keras_attention as ka

    model = ka.load_model(args.model)
    if args.data:
        from zoo.program import answer_table

        output = args.output or Path("answers.csv")
        print(answer_table.write(model, args.data, output, kinds=kinds, column=args.column))
    else:
        answer(model, raw, args)


def check(args: argparse.Namespace) -> None:
    """Refuses arguments that do not go together."""
    if bool(args.inputs) == bool(args.data):
        raise argparse.ArgumentTypeError("pass one or more INPUTs, or a table as --data FILE.")
    if args.data and (args.image or args.text):
        raise argparse.ArgumentTypeError("--image and --text are for INPUTs, not for --data.")
    if not args.data and (args.column or args.output):
        raise argparse.ArgumentTypeError("--column and --output are for a table: pass --data.")
    if args.output and args.data.resolve() == args.output.resolve():
        raise argparse.ArgumentTypeError("--output is the file of --data, which would be lost.")


def answer(model: Any, raw: list[Any], args: argparse.Namespace) -> None:
    """Prints the answers to the inputs of a command line."""
    import keras_attention as ka
    from keras_attention import prediction

    single = [each for each in raw if not inputs.holds_rows(each)]
    for file in filter(inputs.holds_rows, raw):
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
