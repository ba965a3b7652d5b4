"""Files that are written completely or not at all."""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


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
