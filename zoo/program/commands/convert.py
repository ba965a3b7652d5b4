"""Converts a published checkpoint (Hugging Face) to a .keras file, and back.

Example:

    keras-attention convert hf://sentence-transformers/all-MiniLM-L6-v2 minilm.keras
"""

import argparse
from pathlib import Path

from zoo.program import backend, paths


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `convert`."""
    add = parser.add_argument
    add("source", help="hf://user/name or a folder with config.json; back: a .keras file")
    add("target", type=Path, help="a .keras file; back: a folder")
    add("--task", help="features, embedding, classes, tags, span, fill, ...")
    add("--class-names", type=lambda text: text.split(","), metavar="A,B", help="of a new head")
    add("--dtype", help="of the model, such as bfloat16")
    add("--revision", help="branch, tag or commit on the Hub")
    add(
        "--like",
        metavar="SOURCE",
        help="back: the checkpoint that the model came from, for settings and tokenizer",
    )
    backend.add_argument(parser)


def run(args: argparse.Namespace) -> None:
    """Converts."""
    source = check(args)
    backend.choose(args.backend)
    import keras_attention as ka
    import zoo.pretrained

    if args.like:
        model = ka.load_model(source)
        zoo.pretrained.save(model, args.target, like=args.like, revision=args.revision)
    else:
        model = zoo.pretrained.load(
            source,
            task=args.task,
            class_names=args.class_names,
            dtype=args.dtype,
            revision=args.revision,
        )
        ka.save_model(model, args.target)
    print(f"{args.target}: {model.name}, {model.count_params():,} weights, to {model.output.shape}")


def check(args: argparse.Namespace) -> Path | str:
    """Returns the source, if the arguments go together."""
    to_keras = args.target.suffix == ".keras"
    if to_keras:
        if args.like:
            raise argparse.ArgumentTypeError("--like is for the way back, whose target is a folder")
        return args.source
    if not args.like:
        raise argparse.ArgumentTypeError(
            "a target that is no .keras file is a published checkpoint: pass --like"
        )
    if args.task or args.class_names or args.dtype:
        raise argparse.ArgumentTypeError(
            "--task, --class-names and --dtype are for a target that is a .keras file"
        )
    return paths.model(args.source)
