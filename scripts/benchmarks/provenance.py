"""The provenance of a measured number."""

import os
import platform
import sys
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from keras_attention import kernels
from zoo.harness.provenance import provenance as of_process

_THREADS = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "XLA_FLAGS")


def provenance(library: str | None) -> dict[str, Any]:
    """Returns date, versions, machine, command and switches.

    Args:
        library: imported module whose version counts, beside Keras's and the backend's.
    """
    run = of_process()
    more = {library: _version(library)} if library else {}
    return {
        **run,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {**run["versions"], **more},
        "machine": {
            "cpu": _cpu_model(),
            "cores": len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count(),
            "threads": {name: os.environ[name] for name in _THREADS if name in os.environ},
        },
        "switches": kernels.describe(),
    }


def _version(library: str) -> str:
    """Returns the version that a module tells, or else its distribution of the same name."""
    return getattr(sys.modules[library], "__version__", None) or metadata.version(library)


def _cpu_model() -> str:
    """Returns the model in /proc/cpuinfo, where there is one."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor()
