"""Draws what a model attends to in an input, or why it answers what it answers.

Example:

    keras-attention explain text_clinc "what is my balance" --html attention.html
"""

import argparse
from pathlib import Path

from zoo.program import backend, console, inputs, paths

METHODS = (
    "relevance", "rollout", "attention", "attention_gradient", "gradient_x_input",
    "integrated_gradients", "leave_one_out",
)  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `explain`."""
    add = parser.add_argument
    add("model", type=paths.model, metavar="MODEL", help=paths.MODEL)
    add(
        "inputs",
        nargs="+",
        metavar="INPUT",
        help="texts, paths of PNG, JPEG or WAV files, or one .npz file (an array for each input)",
    )
    add("--image", help="PNG or JPEG file that the INPUTs are questions about")
    add(
        "--method",
        type=console.one_of("method", ("heads", *METHODS)),
        help="heads: the weights of every head, or for each word that the model writes about an "
        f"image; or why it answers so: {', '.join(METHODS)}. heads of a model that writes, else "
        "relevance",
    )
    add("--max-new-tokens", type=console.at_least(1), help="that a language model adds to INPUT")
    add("--target", help="class to explain, a name or an index; the answer")
    add("--position", type=int, help="of the token or node to explain, where each")
    add("--output", type=paths.picture, help="picture; METHOD.png beside the model")
    add("--html", type=Path, help="page with the weights of the first input, too")
    backend.add_argument(parser)


def run(args: argparse.Namespace) -> None:
    """Explains."""
    raw = inputs.read(inputs.find_kinds(args.model), args.inputs, args.image)
    backend.choose(args.backend)
    import keras_attention as ka
    from keras_attention import prediction
    from keras_attention.explain.attribution import names
    from keras_attention.explain.plots import any_model

    model = ka.load_model(args.model)
    if inputs.holds_rows(raw[0]):
        (raw,) = raw
    else:
        raw = prediction.add_image(model, raw, image=args.image and Path(args.image))
    most = args.max_new_tokens
    method = args.method or ("heads" if most or prediction.writes_text(model) else "relevance")
    question = {"target": names.class_index(model, args.target), "position": args.position}
    if method == "heads":
        figure = ka.explain.heads(model, raw, position=args.position, max_new_tokens=most)
    else:
        explanation, figure = any_model.explain(model, raw, getattr(ka.explain, method), **question)
        for name, score in names.name_highest(explanation):
            print(f"  {name}: {score:.4g}")
    output = args.output or paths.beside(args.model) / f"{method}.png"
    figure.savefig(output, dpi=150)
    print(f"Next: look at {output}.")
    if args.html:
        ka.explain.page(model, raw, max_new_tokens=most).save(args.html)
        print(f"Next: open {args.html} in a browser.")
