"""Measures time and memory of the layers beside their peers, and appends to a results file."""

import argparse
import sys
from pathlib import Path

import benchmarks
from benchmarks import measure, results

from zoo.program import backend, console, paths


def add_arguments(parser: argparse.ArgumentParser) -> None:
    names = benchmarks.names()
    listing = "\n".join(f"  {name:<16} {benchmarks.promise(name)}" for name in names)
    parser.epilog = f"benchmarks:\n{listing}"
    parser.add_argument(
        "--only",
        nargs="+",
        type=console.one_of("benchmark", names),
        metavar="NAME",
        default=names,
        help="see below; all",
    )
    parser.add_argument(
        "--cases", default="", metavar="TEXT", help="only those with this in their names"
    )
    parser.add_argument("--quick", action="store_true", help="small sizes: see that it all runs")
    parser.add_argument(
        "--rounds",
        type=console.at_least(1),
        help=f"pairs to measure; {measure.ROUNDS}, or {measure.QUICK_ROUNDS} with --quick",
    )
    parser.add_argument(
        "--results", type=Path, default=Path("runs/benchmarks.jsonl"), help="file to append to"
    )
    parser.add_argument(
        "--table",
        type=paths.file,
        nargs="+",
        metavar="PATH",
        help="measure nothing; print the latest of these results files as Markdown",
    )


def run(args: argparse.Namespace) -> None:
    if args.table:
        print(results.table(results.read(args.table)))
        return
    if args.rounds is None:
        args.rounds = measure.QUICK_ROUNDS if args.quick else measure.ROUNDS
    if args.rounds < (1 if args.quick else measure.ROUNDS):
        raise argparse.ArgumentTypeError(
            f"--rounds must be at least {measure.ROUNDS}, or 1 with --quick"
        )
    backend.choose()
    backend.keep_memory()  # as in training; memory is measured in another process
    from benchmarks import runner

    failed = runner.run(
        args.only,
        having=args.cases,
        quick=args.quick,
        rounds=args.rounds,
        results_file=args.results,
    )
    print(f"Next: python scripts/benchmark.py --table {args.results}")
    if failed:
        raise SystemExit(f"{len(failed)} failed: " + "; ".join(failed))


if __name__ == "__main__":
    console.start(sys.modules[__name__])
