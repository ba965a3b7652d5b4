"""What a number depends on, to stand beside it."""

import os
import platform
import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import keras

import keras_attention as ka
from keras_attention import kernels

_THREADS = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "XLA_FLAGS")


def provenance(library: str | None) -> dict[str, Any]:
    """Date, versions, machine, command and switches.

    Args:
        library: imported module whose version counts, beside Keras's and the backend's.
    """
    backend = keras.backend.backend()
    versions = {"python": platform.python_version(), "keras": keras.__version__}
    versions |= {name: sys.modules[name].__version__ for name in (backend, library) if name}
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "backend": backend,
        "device": kernels.device_name(),
        "versions": versions | {"keras_attention": ka.__version__},
        "machine": {
            "cpu": _cpu_model(),
            "cores": len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count(),
            "threads": {name: os.environ[name] for name in _THREADS if name in os.environ},
        },
        "command": f"KERAS_BACKEND={backend} {shlex.join(['python', *sys.argv])}",
        "switches": switches(),
    }


def switches() -> dict[str, str]:
    """What forces a branch of the kernels."""
    return getattr(kernels, "describe", dict)()


def _cpu_model() -> str:
    """The model in /proc/cpuinfo, where there is one."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor()
