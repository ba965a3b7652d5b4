"""The choice of the backend, and of how memory is kept. Imports nothing that imports Keras."""

import argparse
import ctypes
import importlib.util
import json
import os
import sys
from pathlib import Path

from zoo.program import console

BACKENDS = ("tensorflow", "jax", "torch")


def add_argument(parser: argparse.ArgumentParser) -> None:
    """Adds the option `--backend`, which `choose` takes."""
    parser.add_argument(
        "--backend",
        type=_check,
        help=f"{', '.join(BACKENDS)}; that of KERAS_BACKEND or of Keras's own settings",
    )


def choose(asked: str | None = None) -> str:
    """Sets KERAS_BACKEND, before Keras is imported, and prints which backend it is and why.

    In this order: the one that is asked for; KERAS_BACKEND itself; the backend of Keras's config
    file, if it is installed (Keras writes "tensorflow" there by itself the first time it is
    imported, so that name is no promise); the first one that is installed.
    """
    backend, reason = (asked, "--backend") if asked else _choose()
    os.environ["KERAS_BACKEND"] = backend
    print(f"Backend: {backend} ({reason}).", flush=True)
    return backend


def keep_memory() -> None:
    """Has glibc keep the memory that is freed, which the next step of a training asks for again.

    It would give large arrays back to Linux at once, which clears each page before it hands it out
    anew: on JAX a quarter of a step's time. Settings in the environment (`MALLOC_...`) stay.
    """
    given = any(name.startswith("MALLOC_") for name in os.environ)
    if sys.platform == "linux" and not given and hasattr(ctypes.CDLL(None), "mallopt"):
        trim_threshold, mmap_max, arena_max = -1, -4, -8
        for option, value in ((trim_threshold, -1), (mmap_max, 0), (arena_max, 1)):
            ctypes.CDLL(None).mallopt(option, value)


def _choose() -> tuple[str, str]:
    if backend := os.environ.get("KERAS_BACKEND"):
        try:
            return _check(backend), "KERAS_BACKEND is set"
        except argparse.ArgumentTypeError as error:
            raise SystemExit(f"KERAS_BACKEND: {error}") from None
    config = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras") / "keras.json"
    named = _read_config(config)
    if _is_installed(named):
        return named, f"named in {config}"
    fault = "is not installed" if named in BACKENDS else "keras_attention does not run on"
    instead = f"; {config} names {named}, which {fault}" if named else ""
    for backend in BACKENDS:
        if _is_installed(backend):
            return backend, f"the first installed of {', '.join(BACKENDS)}{instead}"
    raise SystemExit(
        f"Keras needs one of {', '.join(BACKENDS)}, and none is installed. "
        "Install one: python -m pip install torch (or jax, or tensorflow)."
    )


def _check(name: str) -> str:
    """Returns the name of a backend that is installed."""
    console.one_of("backend", BACKENDS)(name)
    if not _is_installed(name):
        raise argparse.ArgumentTypeError(f"{name} is not installed.")
    return name


def _read_config(config: Path) -> str | None:
    """Returns the backend that the config file names; `None` if there is no readable file."""
    try:
        content = json.loads(config.read_text())
    except (OSError, ValueError):
        return None
    backend = content.get("backend") if isinstance(content, dict) else None
    return backend if isinstance(backend, str) else None


def _is_installed(backend: str | None) -> bool:
    return backend in BACKENDS and importlib.util.find_spec(backend) is not None
