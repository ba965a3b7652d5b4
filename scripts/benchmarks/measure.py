"""Interleaved timing, paired ratios and peak memory. Imports neither Keras nor a backend."""

import ctypes
import gc
import math
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from benchmarks.case import Run

ROUNDS = 9
QUICK_ROUNDS = 3
SAMPLE_SECONDS = 0.01  # the least that one sample lasts
# Under which the C library gives every larger piece of freed memory back at once: its heaps,
# one per thread, keep up to 64 MiB each otherwise. It makes calls slower.
PLAIN_MALLOC = {"MALLOC_MMAP_THRESHOLD_": "65536"}
_MIB = 2**20


class Elapsed(float):
    """Seconds that a run took by its own clock; returned by one that measures another process."""


def first_call(run: Run, sync: Callable[[Any], None], clock: Callable = time.perf_counter) -> float:
    """Returns the seconds of the first call, tracing and compilation included."""
    return _seconds(run, 1, sync, clock)


def interleaved(
    runs: Mapping[str, Run],
    *,
    rounds: int,
    sync: Callable[[Any], None],
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Measures seconds per call in turn, A B C, A B C, ... so that drift hits all alike.

    Args:
        runs: what to time, each called once before.
        rounds: samples of each.
        sync: waits until an output is computed.
        clock: in seconds.

    Raises:
        ValueError: no rounds.
    """
    if rounds < 1:
        raise ValueError(f"`rounds` must be positive. Received: rounds={rounds}")
    repeats = {name: _repeats(run, sync, clock) for name, run in runs.items()}
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            seconds[name].append(_seconds(run, repeats[name], sync, clock) / repeats[name])
    return seconds


def _repeats(run: Run, sync: Callable[[Any], None], clock: Callable[[], float]) -> int:
    """Returns how many calls a sample of at least `SAMPLE_SECONDS` takes."""
    repeats = 1
    while (seconds := _seconds(run, repeats, sync, clock)) < SAMPLE_SECONDS:
        needed = math.ceil(1.2 * repeats * SAMPLE_SECONDS / max(seconds, 1e-6))
        repeats = min(max(needed, 2 * repeats), 100 * repeats)
    return repeats


def _seconds(
    run: Run, repeats: int, sync: Callable[[Any], None], clock: Callable[[], float]
) -> float:
    own, start = 0.0, clock()
    for _ in range(repeats):
        output = run()
        sync(output)
        if isinstance(output, Elapsed):
            own += output
    return own or clock() - start


def spread(values: Sequence[float]) -> dict[str, float]:
    """Returns median, minimum and quartiles."""
    lower, median, upper = (
        statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else values * 3
    )
    return {
        "median": median,
        "minimum": min(values),
        "lower_quartile": lower,
        "upper_quartile": upper,
    }


def ratios(ours: Sequence[float], peer: Sequence[float]) -> list[float]:
    """Returns ours / peer of each round."""
    return [a / b for a, b in zip(ours, peer, strict=True)]


def resident_peak(run: Run, sync: Callable[[Any], None]) -> float | None:
    """Returns the MiB by which resident memory rises during a call; `None` off Linux.

    The less of two calls. Right if freed memory is given back, as under `PLAIN_MALLOC`.
    """
    if sys.platform != "linux":
        return None
    return min(_risen(run, sync) for _ in range(2))


def _risen(run: Run, sync: Callable[[Any], None]) -> float:
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # forget the peak so far
    before = _resident("VmRSS")
    sync(run())
    return max(0.0, _resident("VmHWM") - before)


def _resident(field: str) -> float:
    with open("/proc/self/status") as file:
        line = next(line for line in file if line.startswith(f"{field}:"))
    return int(line.split()[1]) * 1024 / _MIB
