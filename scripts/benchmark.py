"""Measures time and memory of the layers beside their peers, and appends to a results file."""

import argparse
from pathlib import Path

import _backend
import _console
import _paths
import benchmarks
from benchmarks import measure, results


def parse() -> argparse.Namespace:
    names = benchmarks.names()
    listing = "\n".join(f"  {name:<16} {benchmarks.promise(name)}" for name in names)
    parser = _console.Parser(
        description=__doc__,
        epilog=f"benchmarks:\n{listing}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--only",
        nargs="+",
        type=_console.one_of("benchmark", names),
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
        type=_console.at_least(1),
        help=f"pairs to measure; {measure.ROUNDS}, or {measure.QUICK_ROUNDS} with --quick",
    )
    parser.add_argument(
        "--results", type=Path, default=Path("runs/benchmarks.jsonl"), help="file to append to"
    )
    parser.add_argument(
        "--table",
        type=_paths.file,
        nargs="+",
        metavar="PATH",
        help="measure nothing; print the latest of these results files as Markdown",
    )
    args = parser.parse_args()
    if args.rounds is None:
        args.rounds = measure.QUICK_ROUNDS if args.quick else measure.ROUNDS
    if args.rounds < (1 if args.quick else measure.ROUNDS):
        parser.error(f"--rounds must be at least {measure.ROUNDS}, or 1 with --quick")
    return args


def main() -> None:
    args = parse()
    if args.table:
        print(results.table(results.read(args.table)))
        return
    _backend.choose()
    _backend.keep_memory()  # as in training; memory is measured in another process
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
    _console.run(main)
