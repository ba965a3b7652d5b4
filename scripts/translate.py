"""Translates the lines of standard input, in their order, and scores them beside a reference."""

import argparse
import sys

import _backend
import _console
import _paths


def parse() -> argparse.Namespace:
    parser = _console.Parser(description=__doc__)
    parser.add_argument(
        "model",
        type=_paths.model,
        help="a .keras file, or hf://user/name; its tokenizers are in it",
    )
    parser.add_argument(
        "--beams", type=_console.at_least(1), default=5, help="of the search; 1 is greedy; 5"
    )
    parser.add_argument("--length-penalty", type=float, default=1.0, help="of the search; 1.0")
    parser.add_argument(
        "--max-new-tokens", type=_console.at_least(1), default=64, help="of each line; 64"
    )
    parser.add_argument(
        "--batch-size", type=_console.at_least(1), default=50, help="lines computed at a time; 50"
    )
    parser.add_argument(
        "--reference", type=_paths.file, help="file with a translation of each line: BLEU"
    )
    parser.add_argument(
        "--attention", type=_paths.picture, help="picture of what line 1 was read for"
    )
    return parser.parse_args()


def main() -> None:
    args = parse()
    with open(sys.stdout.fileno(), "w", closefd=False) as output:
        sys.stdout = sys.stderr  # nothing but translations goes to standard output
        lines = sys.stdin.read().splitlines()
        references = args.reference and args.reference.read_text(encoding="utf-8").splitlines()
        if references is not None and len(references) != len(lines):
            raise SystemExit(f"{len(lines)} lines, and {len(references)} in {args.reference}.")
        _backend.choose()
        import keras_attention as ka
        from zoo.tasks import translators as translation

        texts = [line for line in lines if line.strip()]
        sampler = (
            ka.decoding.BeamSearch(args.beams, length_penalty=args.length_penalty)
            if args.beams > 1
            else ka.decoding.Greedy()
        )
        model = ka.load_model(args.model)
        translations = translation.translate(
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
        score, signature = translation.bleu(translations, [reference for _, reference in pairs])
        print(f"BLEU {100 * score:.2f} ({signature})")
    if args.attention and texts:
        figure = translation.draw_alignment(
            model, texts[0], sampler=sampler, max_new_tokens=args.max_new_tokens
        )
        figure.savefig(args.attention)
        print(f"Next: look at {args.attention}.")


if __name__ == "__main__":
    _console.run(main)
