"""Peak memory of a benchmark's cases in this process: prints a JSON line for each."""

import json
import sys

from benchmarks import peers, runner
from benchmarks.case import Case


def main(name: str, scale: str, having: str) -> None:
    runner.prepare(quick=scale == "quick")
    for case in runner.selected(name, scale, having):
        if case.memory:
            print(json.dumps({"case": case.name, "peaks": of(case)}), flush=True)


def of(case: Case) -> dict[str, float | None]:
    """Peak memory of ours and its peers; none if one of them fails, as it will in the parent."""
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
