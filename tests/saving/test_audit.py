"""Loading opens nothing but the file and its copy, runs nothing, and connects nowhere."""

import os
import sys
import tempfile

import keras
import pytest

import keras_attention as ka
from tests.saving import hostile

RUNS = ("os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess.", "pty.", "ctypes.dlopen")
CONNECTS = ("socket.connect", "socket.bind", "socket.getaddrinfo", "urllib.", "http.", "ftplib.")
_events = None


def _hook(event, arguments):
    if _events is not None:
        _events.append((event, arguments))


sys.addaudithook(_hook)  # it stays for the life of the process, silent outside `watched`


def watched(function):
    """The audit events while `function` runs."""
    global _events
    _events = []
    try:
        function()
        return _events
    finally:
        _events = None


@pytest.mark.parametrize("resume", [False, True])
def test_nothing_else_is_opened_run_or_connected(tmp_path, resume):
    path = tmp_path / "model.keras"
    ka.save_model(hostile.model(), path)
    ka.load_model(path, resume=resume)  # imports what is imported late
    events = watched(lambda: ka.load_model(path, resume=resume))
    opened = {str(arguments[0]) for event, arguments in events if event == "open"}
    temporary = os.path.join(tempfile.gettempdir(), "")
    # Keras asks how much memory is free, where psutil is installed.
    strange = {n for n in opened if not n.startswith((str(path), temporary, "/proc/meminfo"))}
    assert str(path) in opened
    assert not strange
    assert not [event for event in events if event[0].startswith((*RUNS, *CONNECTS))]
    assert not [arguments for event, arguments in events if event in ("import", "marshal.loads")]
    assert not os.listdir(tmp_path)[1:], "nothing is left beside the file"


@pytest.mark.runs_on("torch")
@pytest.mark.parametrize("name", ["model.keras", "model"])
def test_what_is_digested_is_what_is_loaded(tmp_path, name):
    """Whoever changes a file between two readings finds only one."""
    path = tmp_path / name
    ka.save_model(hostile.model(), path)
    digest = ka.saving.digest(path)
    ka.load_model(path)
    events = watched(lambda: ka.load_model(path, sha256=digest))
    opened = [str(arguments[0]) for event, arguments in events if event == "open"]
    files = [path] if path.is_file() else list(path.iterdir())
    assert [opened.count(str(file)) for file in files] == [1] * len(files)
    with pytest.raises(ka.saving.RefusedFileError, match="was asked for"):
        ka.load_model(path, sha256=digest[::-1])


def test_the_watch_sees_what_it_should(tmp_path):
    def function():
        os.system("true")
        (tmp_path / "x").write_text("")

    seen = [event for event, _ in watched(function)]
    assert "os.system" in seen
    assert "open" in seen
    assert keras.backend.backend()
