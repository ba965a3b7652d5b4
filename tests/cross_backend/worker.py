"""One backend's part of all tests across backends, in a process of its own and with no other
backend: starting one takes longer than most of what it does.

`python -m tests.cross_backend.worker save OUT SHARE FOLDER` writes what others are to read: of
models and trainings each SHARE-th. `... read OUT FOLDER...` reads what each backend wrote. OUT gets
a pickled dictionary of what each part returned.
"""

import importlib
import os
import pickle
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path

OTHERS = {"jax", "tensorflow", "torch"} - {os.environ["KERAS_BACKEND"]}
PARTS = ("models", "trainings", "answers", "explanations")


class NotInstalled(MetaPathFinder, Loader):
    """The backends that are not in use cannot be imported."""

    def find_spec(self, name, path=None, target=None):
        return ModuleSpec(name, self) if name in OTHERS else None

    def exec_module(self, module):
        raise ModuleNotFoundError(f"No module named {module.__name__!r}", name=module.__name__)


def save(folder, share):
    for part, module in modules():
        (folder / part).mkdir()
        yield part, module.save(folder / part, share)


def read(folders):
    for part, module in modules():
        yield part, module.read([folder / part for folder in folders])


def modules():
    for part in PARTS:
        yield part, importlib.import_module(f"tests.cross_backend.{part}")


if __name__ == "__main__":
    sys.meta_path.insert(0, NotInstalled())
    command, out, *rest = sys.argv[1:]
    if command == "save":
        results = dict(save(Path(rest[1]), int(rest[0])))
    else:
        results = dict(read([Path(folder) for folder in rest]))
    Path(out).write_bytes(pickle.dumps(results))
