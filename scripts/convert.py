"""Converts a published checkpoint (Hugging Face) to a .keras file, and back."""

import argparse
from pathlib import Path

import _backend
import _console
import _paths


def parse() -> argparse.Namespace:
    parser = _console.Parser(description=__doc__)
    parser.add_argument(
        "source", help="hf://user/name or a folder with config.json; back: a .keras file"
    )
    parser.add_argument("target", type=Path, help="a .keras file; back: a folder")
    parser.add_argument("--task", help="features, embedding, classes, tags, span, fill, ...")
    parser.add_argument(
        "--class-names", type=lambda text: text.split(","), metavar="A,B", help="of a new head"
    )
    parser.add_argument("--dtype", help="of the model, such as bfloat16")
    parser.add_argument("--revision", help="branch, tag or commit on the Hub")
    parser.add_argument(
        "--like",
        metavar="SOURCE",
        help="back: the checkpoint that the model came from, for settings and tokenizer",
    )
    args = parser.parse_args()
    to_keras = args.target.suffix == ".keras"
    if to_keras and args.like:
        parser.error("--like is for the way back, whose target is a folder")
    if not to_keras:
        if not args.like:
            parser.error("a target that is no .keras file is a published checkpoint: pass --like")
        if args.task or args.class_names or args.dtype:
            parser.error("--task, --class-names and --dtype are for a target that is a .keras file")
        parser.check(_paths.model, args.source)
    return args


def main() -> None:
    args = parse()
    _backend.choose()
    import keras_attention as ka
    import zoo.pretrained

    if args.like:
        model = ka.load_model(args.source)
        zoo.pretrained.save(model, args.target, like=args.like, revision=args.revision)
    else:
        model = zoo.pretrained.load(
            args.source,
            task=args.task,
            class_names=args.class_names,
            dtype=args.dtype,
            revision=args.revision,
        )
        ka.save_model(model, args.target)
    print(f"{args.target}: {model.name}, {model.count_params():,} weights, to {model.output.shape}")


if __name__ == "__main__":
    _console.run(main)
