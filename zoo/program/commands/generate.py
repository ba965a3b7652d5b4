"""Continues texts with a language model; translates texts or captions images with a decoder.

Texts are continued by drawing tokens, as the most probable ones soon repeat themselves; what has a
source, such as a translation, is made of the most probable ones. `--sampler` chooses otherwise.

Example:

    keras-attention generate gpt_shakespeare_char "To be"
    keras-attention generate gpt_shakespeare_char "To be" --seed 7 --sampler top_k=20
"""

import argparse
from typing import Any

from zoo.program import backend, console, inputs, paths, samplers

MOST = 200  # new tokens, if nothing is said
DRAWN = ("top_p=0.95,temperature=0.8",)  # of what continues a text


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
        help=f"greedy, temperature=0.8, top_k=50, top_p=0.9, {DRAWN[0]}, min_p=0.1, beams=5, "
        "beams=5,length_penalty=2; before it repetition_penalty=1.2, no_repeat_ngrams=3; applied "
        f"in order; {DRAWN[0]} to continue a text, greedy of what has a source",
    )
    add(
        "--max-new-tokens",
        type=console.at_least(1),
        help=f"of each text; {MOST}, or as many as the model's context leaves",
    )
    add("--stop", nargs="+", help="texts that end a text, and are left out")
    add("--seed", type=int, default=0, help="the same seed draws the same, another another text; 0")
    add("--batch-size", type=console.at_least(1), default=50, help="prompts at a time; 50")
    add("--stream", action="store_true", help="show one text as it comes")
    backend.add_argument(parser)


def run(args: argparse.Namespace) -> None:
    """Writes."""
    given = read_prompts(args)
    prompts = inputs.read(inputs.find_kinds(args.model), given)
    backend.choose(args.backend)
    import keras_attention as ka
    from zoo.writing import choose_length

    model = ka.load_model(args.model)
    continues = len(model.inputs) == 1
    options = {
        "sampler": samplers.parse(args.sampler or (DRAWN if continues else ("greedy",))),
        "max_new_tokens": args.max_new_tokens or choose_length(model, prompts, most=MOST),
        "stop": args.stop,
    }
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


def write(model: Any, prompts: list[Any], *, batch_size: int, seed: int, **options: Any) -> Any:
    """Yields what the model writes to each prompt, a batch at a time."""
    import keras_attention as ka
    from zoo.progress import track

    for start in track(range(0, len(prompts), batch_size), "Written", unit="batches"):
        batch = prompts[start : start + batch_size]
        # Another seed for each batch, or the first prompts of all would draw the same numbers.
        yield from ka.generate(model, batch, seed=seed + start, **options)
