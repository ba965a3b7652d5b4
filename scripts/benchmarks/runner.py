"""Runs benchmarks: measures each case, prints it, appends it to the results file."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import keras

import benchmarks
from benchmarks import measure, peers, results
from benchmarks.case import Case, Peer
from benchmarks.provenance import provenance
from keras_attention import kernels

OURS = "keras_attention"


def run(
    names: Sequence[str], *, having: str = "", quick: bool, rounds: int, results_file: Path
) -> list[str]:
    """Measures the cases of these benchmarks that have a text in their names.

    Returns:
        The cases that failed, each with its error; the others are measured all the same.
    """
    scale, failed = prepare(quick), []
    print(f"Device: {kernels.device_name()}, {scale} sizes. Switches: {kernels.describe()}.")
    for name in names:
        print(f"\n{name}: {benchmarks.promise(name)}", flush=True)
        cases = select(name, scale, having)
        if not cases:
            failed.append(f"{name}: no case has {having!r} in its name")
        for case in cases:
            print(f"  {case.name}", flush=True)
            peaks = None
            if case.memory and not peers.memory_environment().items() <= os.environ.items():
                peaks = measure_peaks(name, scale, having).get(case.name, {})
            try:
                records = compare(case, rounds=rounds, peaks=peaks)
            except Exception as error:
                failed.append(f"{name}, {case.name}: {type(error).__name__}: {error}")
                print(f"    failed: {type(error).__name__}: {error}", flush=True)
                continue
            for record in records:
                record = {"benchmark": name, "case": case.name, "scale": scale, **record}
                results.append(results_file, {**record, **provenance(record["library"])})
    return failed


def select(name: str, scale: str, having: str) -> list[Case]:
    """Returns the cases of a benchmark that have a text in their names."""
    return [case for case in benchmarks.load(name)(scale=scale) if having in case.name]


def prepare(quick: bool) -> str:
    """Returns which sizes to run, and has a GPU compute in bfloat16."""
    if peers.on_gpu():
        keras.config.set_dtype_policy("bfloat16")
    return "quick" if quick else "gpu" if peers.on_gpu() else "cpu"


def compare(
    case: Case, *, rounds: int, peaks: Mapping[str, float] | None = None
) -> list[dict[str, Any]]:
    """Measures ours and the peers that are installed, prints it and returns a record of each.

    Args:
        peaks: memory by name, if it was measured elsewhere.
    """
    present = keep_installed(case.peers)
    runs = {OURS: case.ours()} | {peer.name: peer.make() for peer in present}
    first = {name: measure.first_call(run, peers.sync) for name, run in runs.items()}
    if peaks is None:
        peaks = {name: peers.memory(run) for name, run in runs.items()} if case.memory else {}
    seconds = measure.interleaved(runs, rounds=rounds, sync=peers.sync)
    per_step = {name: [1e3 * s / case.steps for s in seconds[name]] for name in runs}
    measured = {
        name: {
            "milliseconds": measure.spread(per_step[name]),
            "first_call_seconds": first[name],
            "peak_mib": peaks.get(name),
        }
        for name in runs
    }
    print(f"    {OURS:<28} {describe(measured[OURS])}", flush=True)
    records = [
        {"rounds": rounds, "ours": measured[OURS]} | compare_with(peer, measured, per_step)
        for peer in present
    ]
    no_peer = {"peer": None, "peer_measured": None, "library": None, "ratio": None}
    return records or [
        {"rounds": rounds, "ours": measured[OURS], **no_peer, "reach": {}, "judged": {}}
    ]


def keep_installed(all_peers: Sequence[Peer]) -> list[Peer]:
    """Returns the peers that can be measured here, and prints which cannot."""
    for peer in all_peers:
        if not peer.is_installed:
            print(f"    {peer.name:<28} skipped: {peer.library} is not installed")
    return [peer for peer in all_peers if peer.is_installed]


def compare_with(
    peer: Peer, measured: Mapping[str, Any], per_step: Mapping[str, list[float]]
) -> dict[str, Any]:
    """Compares ours with one peer, prints the ratios and returns them."""
    ours, its = per_step[OURS], per_step[peer.name]
    time = measure.spread(measure.ratios(ours, its))
    figures = {
        "time": time["median"],
        "milliseconds": measured[OURS]["milliseconds"]["median"],
        "milliseconds more": measure.spread([a - b for a, b in zip(ours, its, strict=True)])[
            "median"
        ],
    }
    text = f"{time['median']:.2f} x ({results.quartiles(time)}, least {time['minimum']:.2f})"
    peaks = [measured[name]["peak_mib"] for name in (OURS, peer.name)]
    if all(peaks):
        figures["memory"] = peaks[0] / peaks[1]
        text += f", memory {figures['memory']:.2f} x"
    judged = {  # to the decimals that are shown
        what: {"measured": figures[what], "reached": round(figures[what], 2) <= round(bound, 2)}
        for what, bound in peer.reach.items()
        if what in figures
    }
    print(f"    {peer.name:<28} {describe(measured[peer.name])}: {text}", flush=True)
    return {
        "peer": peer.name,
        "library": peer.library,
        "peer_measured": measured[peer.name],
        "ratio": time,
        "reach": dict(peer.reach),
        "judged": judged,
    }


def describe(measured: Mapping[str, Any]) -> str:
    """Returns time and memory of one, in words."""
    ms = measured["milliseconds"]
    memory = f", {results.mebibytes(measured)} MiB" if results.mebibytes(measured) else ""
    return (
        f"{ms['median']:9.3f} ms (least {ms['minimum']:.3f}, first call "
        f"{measured['first_call_seconds']:.1f} s{memory})"
    )


@cache
def measure_peaks(name: str, scale: str, having: str) -> dict[str, dict[str, float]]:
    """Measures memory by case and subject in a fresh process, see `peers.memory_environment`."""
    process = subprocess.run(
        [sys.executable, "-m", "benchmarks.peaks", name, scale, having],
        env={
            **os.environ,
            **peers.memory_environment(),
            "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), *sys.path]),
        },
        stdout=subprocess.PIPE,
        text=True,
    )
    if process.returncode:  # killed for its memory, say: what it measured before still counts
        print(f"    memory: incomplete, its process ended with {process.returncode}", flush=True)
    lines = [json.loads(x) for x in process.stdout.splitlines() if x.startswith('{"case": ')]
    return {line["case"]: line["peaks"] for line in lines}
