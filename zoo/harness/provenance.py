"""The provenance of measured numbers."""

import shlex
from typing import Any

import keras

from keras_attention.kernels import device_name
from keras_attention.version import versions
from zoo.harness import invocation


def provenance() -> dict[str, Any]:
    """Returns versions, backend, device and command of this process."""
    backend = keras.backend.backend()
    return {
        "versions": versions(),
        "backend": backend,
        "device": device_name(),
        "command": f"KERAS_BACKEND={backend} {shlex.join(invocation.words())}",
    }
