"""Files that are written completely or not at all, and what the numbers in them depend on."""

import json
import os
import platform
import shlex
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras

import keras_attention as ka
from keras_attention.kernels import device_name


@contextmanager
def complete(path: str | Path) -> Iterator[Path]:
    """A temporary name to write to, which becomes `path` if the block succeeds.

    The name is in the folder of `path`, so that the replacement is atomic, and has its suffix,
    by which savers choose the format. After an error `path` is as it was before.

    ```python
    with complete("runs/iris/model.keras") as temporary:
        model.save(temporary)
    ```
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}.", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)  # mkstemp's is private to the user
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: str | Path, content: Any) -> None:
    """Writes `content` as indented JSON."""
    with complete(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n")


def provenance() -> dict[str, Any]:
    """What a number that this process measures depends on, to stand beside the number."""
    backend = keras.backend.backend()
    return {
        "versions": {
            "python": platform.python_version(),
            "keras": keras.__version__,
            backend: sys.modules[backend].__version__,
            "keras_attention": ka.__version__,
        },
        "backend": backend,
        "device": device_name(),
        "command": f"KERAS_BACKEND={backend} {shlex.join(['python', *sys.argv])}",
    }
