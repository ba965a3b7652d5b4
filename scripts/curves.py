"""Draws what trainings came to, epoch by epoch, with the spread over their seeds."""

import argparse
import json
from collections import defaultdict
from pathlib import Path

import _backend


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "histories",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="history.json of trainings, or history-SEED.json of --repeats; those of one recipe "
        "and variant are drawn as one line",
    )
    parser.add_argument("--metric", default="val_loss", help="name of a log; val_loss")
    parser.add_argument("--output", type=Path, default=Path("curves.png"), help="picture")
    return parser.parse_args()


def main() -> None:
    args = parse()
    _backend.choose()
    from keras_attention.explain import plots

    curves = defaultdict(list)
    for path in args.histories:
        about = json.loads(path.read_text(encoding="utf-8"))
        history = about["history"]
        if args.metric not in history:
            raise SystemExit(f"{path} has no {args.metric}. Logs: {', '.join(history)}")
        curves[f"{about['name']}, {about['variant']}"].append(history[args.metric])
    plots.spread_curves(curves, label=args.metric.replace("_", " ")).savefig(args.output, dpi=150)
    print(f"Next: look at {args.output}.")


if __name__ == "__main__":
    main()
