"""Files are written completely or not at all; what a killed process leaves is cleared away."""

import os
import subprocess
import sys
import threading
import time

import pytest

from keras_attention.saving import files, scratch

pytestmark = pytest.mark.runs_on("torch")
# Makes one of each, says so, and waits to be killed. Imports no Keras.
LEAVES = """
import sys, time, types
from pathlib import Path
sys.modules["keras_attention"] = types.ModuleType("keras_attention")
sys.modules["keras_attention"].__path__ = [str(Path("keras_attention").resolve())]
sys.modules["keras_attention.saving"] = types.ModuleType("keras_attention.saving")
sys.modules["keras_attention.saving"].__path__ = [str(Path("keras_attention/saving").resolve())]
from keras_attention.saving import scratch
parent = Path(sys.argv[1])
with scratch.file(parent, ".keras") as file, scratch.folder(parent) as folder:
    file.write_text("half"), (folder / "half.txt").write_text("half")
    print("ready", flush=True)
    time.sleep(600)
"""


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path):
    others = [".keras_attention_old-1", "model.keras", ".hidden", "keras_attention-1"]
    for name in others:
        (tmp_path / name).write_text("not ours to remove")
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / ".keras_attention-link").symlink_to(outside)
    os.mkfifo(tmp_path / ".keras_attention-pipe")  # opening it must not wait for a writer
    process = subprocess.Popen(
        [sys.executable, "-c", LEAVES, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout.readline() == "ready\n"
        theirs = set(names(tmp_path)) - {*others, "outside", ".keras_attention-link"}
        with scratch.file(tmp_path, "") as ours:
            scratch.sweep(tmp_path)
            assert theirs - {".keras_attention-pipe"} <= set(names(tmp_path))  # it is alive
            assert ours.exists()
    finally:
        process.kill()
        process.communicate()
    for path in tmp_path.glob(".keras_attention-*"):
        if not path.is_symlink() and path.is_file():
            os.utime(path, (2**33, 2**33))  # a clock that was set back does not save it
    files.write_text(tmp_path / "model.md", "x")
    assert names(tmp_path) == sorted([*others, "outside", ".keras_attention-link", "model.md"])


def test_threads_do_not_sweep_what_others_work_on(tmp_path):
    errors = []

    def write(number):
        try:
            for i in range(20):
                with files.complete(tmp_path / f"{number}.txt") as temporary:
                    temporary.write_text(str(i))
                    time.sleep(0)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert names(tmp_path) == [f"{number}.txt" for number in range(4)]


def test_a_drive_without_locks_is_written_to_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(scratch, "fcntl", None)
    (tmp_path / ".keras_attention-1").write_text("")
    files.write_text(tmp_path / "x.txt", "x")
    assert names(tmp_path) == [".keras_attention-1", "x.txt"]


def test_names_as_long_as_names_can_be(tmp_path):
    for name in ("x" * 249 + ".keras", "模" * 83 + ".keras"):  # 255 bytes
        files.write_text(tmp_path / name, "x")
        with pytest.raises(OSError, match="File name too long"), files.complete(f"x{name}"):
            raise AssertionError("was not said before the work")
    with files.complete_folder(tmp_path / ("x" * 255), holds="x") as temporary:
        (temporary / "x").write_text("")
    assert len(names(tmp_path)) == 3


@pytest.mark.parametrize("umask", [0o077, 0o002])
def test_permissions_are_those_of_the_process_or_of_what_was_there(tmp_path, umask, monkeypatch):
    before = os.umask(umask)
    try:
        monkeypatch.setattr(os, "umask", None)  # it is the whole process's: never touched
        for name in ("new.txt", "shared.txt"):
            files.write_text(tmp_path / name, "x")
        (tmp_path / "shared.txt").chmod(0o664)
        files.write_text(tmp_path / "shared.txt", "y")
        for name in ("new", "shared"):
            for mode in (None, 0o770):
                with files.complete_folder(tmp_path / name, holds="x") as temporary:
                    (temporary / "x").write_text("")
                if mode and name == "shared":
                    (tmp_path / name).chmod(mode)
        with files.complete_folder(tmp_path / "shared", holds="x") as temporary:
            (temporary / "x").write_text("")
    finally:
        monkeypatch.undo()
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes == {
        "new.txt": 0o666 & ~umask, "shared.txt": 0o664, "new": 0o777 & ~umask, "shared": 0o770,
    }  # fmt: skip


def test_a_link_stays_one(tmp_path):
    (tmp_path / "disk").mkdir()
    link, target = tmp_path / "model.txt", tmp_path / "disk" / "model.txt"
    link.symlink_to(target)
    for content in ("first", "second"):  # also where it points to nothing yet
        files.write_text(link, content)
        assert link.is_symlink()
        assert target.read_text() == content
    folder = tmp_path / "model"
    (tmp_path / "disk" / "model").mkdir()
    folder.symlink_to(tmp_path / "disk" / "model")
    for _ in range(2):
        with files.complete_folder(folder, holds="x") as temporary:
            (temporary / "x").write_text("")
    assert folder.is_symlink()
    assert names(tmp_path / "disk") == ["model", "model.txt"]
    assert names(tmp_path) == ["disk", "model", "model.txt"]


def test_what_cannot_be_replaced_is_said_before_the_work(tmp_path, monkeypatch):
    (tmp_path / "x.txt").mkdir()
    with pytest.raises(IsADirectoryError, match=r"x\.txt"), files.complete(tmp_path / "x.txt"):
        raise AssertionError("was not said before the work")
    files.write_text(tmp_path / "y.txt", "years of work")
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # as for anybody but root
    with pytest.raises(PermissionError, match=r"read-only.*y\.txt"):
        files.write_text(tmp_path / "y.txt", "")
    monkeypatch.undo()

    def denied(path, mode=0o777):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "mkdir", denied)
    with (
        pytest.raises(PermissionError, match="Permission denied") as error,
        files.complete_folder(tmp_path / "z", holds="x"),
    ):
        raise AssertionError("was not said before the work")
    assert error.value.filename == str(tmp_path)  # not the name of a temporary one


@pytest.mark.parametrize("call", [1, 2])
def test_a_folder_that_cannot_be_replaced_is_as_it_was(tmp_path, monkeypatch, call):
    def write(content):
        with files.complete_folder(tmp_path / "x", holds="x") as temporary:
            (temporary / "x").write_text(content)

    write("first")
    replace, calls = os.replace, []

    def fail(source, target):
        calls.append(target)
        if len(calls) == call:
            raise OSError("interrupted")
        replace(source, target)

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="interrupted"):
        write("second")
    assert (tmp_path / "x" / "x").read_text() == "first"
    assert names(tmp_path) == ["x"]
