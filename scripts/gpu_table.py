"""Measures on every backend that is installed what a GPU decides, in minutes; prints the table."""

import argparse
import importlib.util
import os
import subprocess
import sys
import time
from pathlib import Path

from benchmarks import results

from zoo.program import backend, console

# The most telling first: what the time does not suffice for is left out at the end.
BENCHMARKS = ["long_attention", "fit_step", "generation", "optimizer", "self_attention"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--minutes", type=console.at_least(1), default=7, help="for all backends together; 7"
    )
    parser.add_argument("--only", nargs="+", default=BENCHMARKS, help=", ".join(BENCHMARKS))
    parser.add_argument("--quick", action="store_true", help="small sizes: see that it all runs")
    parser.add_argument(
        "--results", type=Path, default=Path("runs/gpu.jsonl"), help="file to append to"
    )


def run(args: argparse.Namespace) -> None:
    end = time.monotonic() + 60 * args.minutes
    names = [name for name in backend.BACKENDS if importlib.util.find_spec(name)]
    for number, name in enumerate(names):
        print(f"\n{name}", flush=True)
        seconds = (end - time.monotonic()) / (len(names) - number)
        try:
            measure(name, args, seconds)
        except subprocess.TimeoutExpired:
            print(f"Stopped after {seconds:.0f} s; what was measured before counts.", flush=True)
    if args.results.exists():
        print(results.table(results.read([args.results])))


def measure(name: str, args: argparse.Namespace, seconds: float) -> None:
    """Runs the benchmarks on a backend, in a process that lasts so many seconds at most."""
    command = [sys.executable, str(Path(__file__).with_name("benchmark.py"))]
    command += ["--results", str(args.results), *(["--quick"] if args.quick else [])]
    environment = {**os.environ, "KERAS_BACKEND": name}
    subprocess.run([*command, "--only", *args.only], env=environment, timeout=seconds)


if __name__ == "__main__":
    console.start(sys.modules[__name__])
