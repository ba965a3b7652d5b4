"""Continues texts with a language model; translates texts or captions images with a decoder.

Example:

    keras-attention generate gpt_shakespeare_char "To be" --sampler top_p=0.9
"""

import argparse
from typing import Any

from zoo.program import backend, console, inputs, paths, samplers


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `generate`."""
    add = parser.add_argument
    add("model", type=paths.model, metavar="MODEL", help=paths.MODEL)
    add(
        "prompts",
        nargs="*",
        metavar="PROMPT",
        help="texts to continue or to translate, or paths of PNG or JPEG files to caption",
    )
    add("--lines", type=paths.file, metavar="FILE", help="further prompts, one in each line")
    add(
        "--sampler",
        nargs="+",
        metavar="NAME=NUMBER",
        default=["greedy"],
        help="greedy (default), temperature=0.8, top_k=50, top_p=0.9, min_p=0.1, beams=5, "
        "beams=5,length_penalty=2; before it repetition_penalty=1.2, no_repeat_ngrams=3; applied "
        "in order",
    )
    add("--max-new-tokens", type=console.at_least(1), default=100, help="of each text; 100")
    add("--stop", nargs="+", help="texts that end a text, and are left out")
    add("--seed", type=int, help="the same seed writes the same")
    add("--batch-size", type=console.at_least(1), default=50, help="prompts at a time; 50")
    add("--stream", action="store_true", help="show one text as it comes")
    backend.add_argument(parser)


def run(args: argparse.Namespace) -> None:
    """Writes."""
    given = read_prompts(args)
    prompts = inputs.read(inputs.find_kinds(args.model), given)
    backend.choose(args.backend)
    import keras_attention as ka

    options = {
        "sampler": samplers.parse(args.sampler),
        "max_new_tokens": args.max_new_tokens,
        "stop": args.stop,
    }
    model = ka.load_model(args.model)
    continues = len(model.inputs) == 1
    if args.stream:
        print(given[0] if continues else "", end="", flush=True)
        for piece in ka.stream(model, prompts[0], seed=args.seed, **options):
            print(piece, end="", flush=True)
        print()
        return
    written = write(model, prompts, batch_size=args.batch_size, seed=args.seed, **options)
    for prompt, new in zip(given, written, strict=True):
        print(f"{prompt}{new}" if continues else new, flush=True)


def read_prompts(args: argparse.Namespace) -> list[str]:
    """Returns the prompts of the command line and those of a file."""
    given = list(args.prompts)
    if args.lines:
        lines = paths.read_text(args.lines).splitlines()
        given += [line for line in lines if line.strip()]
    if not given:
        raise argparse.ArgumentTypeError("pass a PROMPT, or --lines FILE with some.")
    if args.stream and len(given) > 1:
        raise argparse.ArgumentTypeError("--stream shows one text")
    return given


def write(
    model: Any, prompts: list[Any], *, batch_size: int, seed: int | None, **options: Any
) -> Any:
    """Yields what the model writes to each prompt, a batch at a time."""
    import keras_attention as ka
    from zoo.progress import track

    for start in track(range(0, len(prompts), batch_size), "Written", unit="batches"):
        batch = prompts[start : start + batch_size]
        # Another seed for each batch, or the first prompts of all would draw the same numbers.
        number = None if seed is None else seed + start
        yield from ka.generate(model, batch, seed=number, **options)
