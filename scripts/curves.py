"""Draws the logs of trainings, epoch by epoch, with the spread over their seeds."""

import argparse
from collections import defaultdict
from pathlib import Path

import _backend
import _console
import _paths


def parse() -> argparse.Namespace:
    parser = _console.Parser(description=__doc__)
    parser.add_argument(
        "histories",
        nargs="+",
        type=_paths.file,
        metavar="FILE",
        help="history.json of trainings, or history-SEED.json of --repeats; those of one recipe "
        "and variant are drawn as one line",
    )
    parser.add_argument("--metric", default="val_loss", help="name of a log; val_loss")
    parser.add_argument("--output", type=_paths.picture, default=Path("curves.png"), help="picture")
    return parser.parse_args()


def main() -> None:
    args = parse()
    curves = defaultdict(list)
    for path in args.histories:
        about = _paths.read_record(path)
        history = about.get("history", {})
        if args.metric not in history:
            raise SystemExit(f"{path} has no {args.metric}. Logs: {', '.join(history)}")
        curves[f"{about['name']}, {about['variant']}"].append(history[args.metric])
    _backend.choose()
    from zoo.harness import charts

    charts.spread_curves(curves, label=args.metric.replace("_", " ")).savefig(args.output, dpi=150)
    print(f"Next: look at {args.output}.")


if __name__ == "__main__":
    _console.run(main)
