"""Translates the lines of standard input, in their order, and scores them beside a reference.

Example:

    keras-attention translate runs/translation-pairs < german.txt > english.txt
"""

import argparse
import sys

from zoo.program import backend, console, paths


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `translate`."""
    add, count = parser.add_argument, console.at_least(1)
    add("model", type=paths.model, metavar="MODEL", help=paths.MODEL)
    add("--beams", type=count, default=5, help="of the search; 1 is greedy; 5")
    add("--length-penalty", type=float, default=1.0, help="of the search; 1.0")
    add("--max-new-tokens", type=count, default=64, help="of each line; 64")
    add("--batch-size", type=count, default=50, help="lines computed at a time; 50")
    add("--reference", type=paths.file, help="file with a translation of each line: BLEU")
    add("--attention", type=paths.picture, help="picture of what line 1 was read for")
    backend.add_argument(parser)


def run(args: argparse.Namespace) -> None:
    """Translates."""
    with open(sys.stdout.fileno(), "w", closefd=False) as output:
        sys.stdout = sys.stderr  # nothing but translations goes to standard output
        lines = sys.stdin.read().splitlines()
        references = args.reference and args.reference.read_text(encoding="utf-8").splitlines()
        if references is not None and len(references) != len(lines):
            raise SystemExit(f"{len(lines)} lines, and {len(references)} in {args.reference}.")
        backend.choose(args.backend)
        import keras_attention as ka
        from zoo.tasks import translators

        texts = [line for line in lines if line.strip()]
        sampler = (
            ka.decoding.BeamSearch(args.beams, length_penalty=args.length_penalty)
            if args.beams > 1
            else ka.decoding.Greedy()
        )
        model = ka.load_model(args.model)
        translations = translators.translate(
            model,
            texts,
            sampler=sampler,
            max_new_tokens=args.max_new_tokens,
            batch_size=args.batch_size,
        )
        answers = iter(translations)
        for line in lines:  # empty ones stay
            print(next(answers) if line.strip() else "", file=output)
    if references is not None:
        pairs = [(a, b) for a, b in zip(lines, references, strict=True) if a.strip()]
        score, signature = translators.bleu(translations, [reference for _, reference in pairs])
        print(f"BLEU {100 * score:.2f} ({signature})")
    if args.attention and texts:
        figure = translators.draw_alignment(
            model, texts[0], sampler=sampler, max_new_tokens=args.max_new_tokens
        )
        figure.savefig(args.attention)
        print(f"Next: look at {args.attention}.")
