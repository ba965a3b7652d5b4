"""Continues texts with a language model; translates texts or captions images with a decoder."""

import argparse

import _backend
import _console
import _inputs
import _paths
import _samplers


def parse() -> argparse.Namespace:
    parser = _console.Parser(description=__doc__)
    parser.add_argument(
        "model",
        type=_paths.model,
        help="a .keras file, or hf://user/name; its tokenizers are in it",
    )
    parser.add_argument(
        "prompts",
        nargs="+",
        metavar="PROMPT",
        help="texts to continue or to translate, or paths of PNG or JPEG files to caption",
    )
    parser.add_argument(
        "--sampler",
        nargs="+",
        metavar="NAME=NUMBER",
        default=["greedy"],
        help="greedy (default), temperature=0.8, top_k=50, top_p=0.9, min_p=0.1, beams=5, "
        "beams=5,length_penalty=2; before it repetition_penalty=1.2, no_repeat_ngrams=3; applied "
        "in order",
    )
    parser.add_argument(
        "--max-new-tokens", type=_console.at_least(1), default=100, help="of each text; 100"
    )
    parser.add_argument("--stop", nargs="+", help="texts that end a text, and are left out")
    parser.add_argument("--seed", type=int, help="the same seed writes the same")
    parser.add_argument("--stream", action="store_true", help="show one text as it comes")
    args = parser.parse_args()
    if args.stream and len(args.prompts) > 1:
        parser.error("--stream shows one text")
    return args


def main() -> None:
    args = parse()
    prompts = _inputs.read(_inputs.find_kinds(args.model), args.prompts)
    _backend.choose()
    import keras_attention as ka

    options = {
        "sampler": _samplers.parse(args.sampler),
        "max_new_tokens": args.max_new_tokens,
        "stop": args.stop,
        "seed": args.seed,
    }
    model = ka.load_model(args.model)
    continues = len(model.inputs) == 1
    if args.stream:
        print(args.prompts[0] if continues else "", end="", flush=True)
        for piece in ka.stream(model, prompts[0], **options):
            print(piece, end="", flush=True)
        print()
        return
    for prompt, new in zip(args.prompts, ka.generate(model, prompts, **options), strict=True):
        print(f"{prompt}{new}" if continues else new)


if __name__ == "__main__":
    _console.run(main)
