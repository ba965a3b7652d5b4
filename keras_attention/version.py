"""This package's version, and those of what it runs on."""

import platform
import sys

import keras

__version__ = "0.2.0"


def versions() -> dict[str, str]:
    """The versions that results and files depend on, by name."""
    backend = keras.backend.backend()
    return {
        "python": platform.python_version(),
        "keras": keras.__version__,
        backend: sys.modules[backend].__version__,
        "keras_attention": __version__,
    }
