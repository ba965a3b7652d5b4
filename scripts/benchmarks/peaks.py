"""Peak memory of a benchmark's cases in this process: prints a JSON line for each."""

import json
import sys

from benchmarks import peers, runner
from benchmarks.case import Case


def main(name: str, scale: str, having: str) -> None:
    runner.prepare(quick=scale == "quick")
    for case in runner.select(name, scale, having):
        if case.memory:
            print(json.dumps({"case": case.name, "peaks": measure(case)}), flush=True)


def measure(case: Case) -> dict[str, float | None]:
    """Returns peak memory of ours and its peers; none if one fails, as it will in the parent."""
    makers = {runner.OURS: case.ours} | {
        peer.name: peer.make for peer in case.peers if peer.is_installed
    }
    try:
        runs = {name: make() for name, make in makers.items()}
        for run in runs.values():
            peers.sync(run())
        return {name: peers.memory(run) for name, run in runs.items()}
    except Exception:
        return {}


if __name__ == "__main__":
    main(*sys.argv[1:])
