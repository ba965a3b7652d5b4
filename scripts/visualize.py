"""Draws what a model attends to in an input, or why it answers what it answers."""

import argparse
from pathlib import Path

import _backend
import _console
import _inputs
import _paths

METHODS = (
    "relevance", "rollout", "attention", "attention_gradient", "gradient_x_input",
    "integrated_gradients", "leave_one_out",
)  # fmt: skip


def parse() -> argparse.Namespace:
    parser = _console.Parser(description=__doc__)
    parser.add_argument("model", type=_paths.model, help="a .keras file, or hf://user/name")
    parser.add_argument(
        "inputs",
        nargs="+",
        metavar="INPUT",
        help="texts, paths of PNG, JPEG or WAV files, or one .npz file (an array for each input)",
    )
    parser.add_argument("--image", help="PNG or JPEG file that the INPUTs are questions about")
    parser.add_argument(
        "--method",
        type=_console.one_of("method", ("heads", *METHODS)),
        help="heads: the weights of every head, or for each word that the model writes about an "
        f"image; or why it answers so: {', '.join(METHODS)}. heads of a model that writes, else "
        "relevance",
    )
    parser.add_argument(
        "--max-new-tokens", type=_console.at_least(1), help="that a language model adds to INPUT"
    )
    parser.add_argument("--target", help="class to explain, a name or an index; the answer")
    parser.add_argument("--position", type=int, help="of the token or node to explain, where each")
    parser.add_argument(
        "--output", type=_paths.picture, help="picture; METHOD.png beside the model"
    )
    parser.add_argument("--html", type=Path, help="page with the weights of the first input, too")
    return parser.parse_args()


def main() -> None:
    args = parse()
    raw = _inputs.read(_inputs.find_kinds(args.model), args.inputs, args.image)
    _backend.choose()
    import keras_attention as ka
    from keras_attention import prediction
    from keras_attention.explain.attribution import names
    from keras_attention.explain.plots import any_model

    model = ka.load_model(args.model)
    if _inputs.holds_rows(raw[0]):
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
    folder = Path(args.model).parent if Path(args.model).exists() else Path()
    output = args.output or folder / f"{method}.png"
    figure.savefig(output, dpi=150)
    print(f"Next: look at {output}.")
    if args.html:
        ka.explain.page(model, raw, max_new_tokens=most).save(args.html)
        print(f"Next: open {args.html} in a browser.")


if __name__ == "__main__":
    _console.run(main)
