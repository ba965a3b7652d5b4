"""Translates the lines of standard input, in their order, and scores them beside a reference."""

import argparse
import sys
from pathlib import Path

import _backend


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", help="a .keras file, or hf://user/name; its tokenizers are in it")
    parser.add_argument("--beams", type=int, default=5, help="of the search; 1 is greedy; 5")
    parser.add_argument("--length-penalty", type=float, default=1.0, help="of the search; 1.0")
    parser.add_argument("--max-new-tokens", type=int, default=64, help="of each line; 64")
    parser.add_argument("--batch-size", type=int, default=50, help="lines computed at a time; 50")
    parser.add_argument("--reference", type=Path, help="file with a translation of each line: BLEU")
    parser.add_argument("--attention", type=Path, help="picture of what line 1 was read for")
    return parser.parse_args()


def main() -> None:
    args = parse()
    with open(sys.stdout.fileno(), "w", closefd=False) as output:
        sys.stdout = sys.stderr  # nothing but translations goes to standard output
        _backend.choose()
        import keras_attention as ka
        from zoo import translation

        lines = sys.stdin.read().splitlines()
        texts = [line for line in lines if line.strip()]
        sampler = (
            ka.decoding.BeamSearch(args.beams, length_penalty=args.length_penalty)
            if args.beams > 1
            else ka.decoding.Greedy()
        )
        model = ka.load_model(args.model)
        found = translation.translate(
            model,
            texts,
            sampler=sampler,
            max_new_tokens=args.max_new_tokens,
            batch_size=args.batch_size,
        )
        answers = iter(found)
        for line in lines:  # empty ones stay
            print(next(answers) if line.strip() else "", file=output)
    if args.reference:
        references = args.reference.read_text(encoding="utf-8").splitlines()
        if len(references) != len(lines):
            raise SystemExit(f"{len(lines)} lines, and {len(references)} in {args.reference}.")
        pairs = [(a, b) for a, b in zip(lines, references, strict=True) if a.strip()]
        score, signature = translation.bleu(found, [reference for _, reference in pairs])
        print(f"BLEU {100 * score:.2f} ({signature})")
    if args.attention and texts:
        figure = translation.picture(
            model, texts[0], sampler=sampler, max_new_tokens=args.max_new_tokens
        )
        figure.savefig(args.attention)
        print(f"Next: look at {args.attention}.")


if __name__ == "__main__":
    main()
