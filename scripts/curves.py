"""Draws the logs of trainings, epoch by epoch, with the spread over their seeds."""

import argparse
import sys
from collections import defaultdict
from pathlib import Path

from zoo.program import backend, console, paths


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "histories",
        nargs="+",
        type=paths.file,
        metavar="FILE",
        help="history.json of trainings, or history-SEED.json of --repeats; those of one recipe "
        "and variant are drawn as one line",
    )
    parser.add_argument("--metric", default="val_loss", help="name of a log; val_loss")
    parser.add_argument("--output", type=paths.picture, default=Path("curves.png"), help="picture")


def run(args: argparse.Namespace) -> None:
    curves = defaultdict(list)
    for path in args.histories:
        about = paths.read_record(path)
        history = about.get("history", {})
        if args.metric not in history:
            raise SystemExit(f"{path} has no {args.metric}. Logs: {', '.join(history)}")
        curves[f"{about['name']}, {about['variant']}"].append(history[args.metric])
    backend.choose()
    from zoo.harness import charts

    charts.spread_curves(curves, label=args.metric.replace("_", " ")).savefig(args.output, dpi=150)
    print(f"Next: look at {args.output}.")


if __name__ == "__main__":
    console.start(sys.modules[__name__])
