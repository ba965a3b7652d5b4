"""Folders of models that lead elsewhere, and temporary ones that outlive their process."""

import os
import signal
import subprocess
import sys
import tempfile
import time

import keras
import pytest

import keras_attention as ka
from keras_attention.saving import scratch

pytestmark = pytest.mark.runs_on("torch")


@pytest.fixture
def folder(tmp_path):
    x = keras.Input((3,))
    ka.save_model(keras.Model(x, keras.layers.Dense(2)(x)), tmp_path / "model")
    return tmp_path / "model"


@pytest.mark.parametrize("name", ["model.weights.h5", "assets/layers/tokenizer/vocabulary.txt"])
@pytest.mark.parametrize("use", [ka.load_model, ka.saving.digest])
def test_a_link_out_of_a_folder_is_refused(folder, tmp_path, name, use):
    (tmp_path / "secret").write_bytes(b"secret")
    link = folder / name
    link.unlink(missing_ok=True)
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to("../" * (name.count("/") + 1) + "secret")
    with pytest.raises(ka.saving.RefusedFileError, match=r"is a link to .*secret, outside"):
        use(folder)


def test_a_folder_of_assets_may_not_be_a_link(folder, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "x.txt").write_text("secret")
    (folder / "assets").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ka.saving.RefusedFileError, match=r"is a link to .*elsewhere"):
        ka.load_model(folder)


def test_links_that_stay_are_followed(folder, tmp_path):
    (folder / "model.weights.h5").rename(folder / "other")
    (folder / "model.weights.h5").symlink_to("other")
    ka.load_model(folder)
    (tmp_path / "link").symlink_to(folder)
    ka.load_model(tmp_path / "link")


def test_the_hubs_cache_is_read(folder, tmp_path):
    """Its folders hold links to the files beside."""
    snapshot = tmp_path / "models--a--b" / "snapshots" / "0123"
    blobs = tmp_path / "models--a--b" / "blobs"
    snapshot.mkdir(parents=True)
    blobs.mkdir()
    for file in folder.iterdir():
        file.rename(blobs / file.name)
        (snapshot / file.name).symlink_to(f"../../blobs/{file.name}")
    ka.load_model(snapshot, sha256=ka.saving.digest(snapshot))


def test_a_pipe_in_a_folder_is_refused(folder):
    (folder / "model.weights.h5").unlink()
    os.mkfifo(folder / "model.weights.h5")
    with pytest.raises(ka.saving.RefusedFileError, match="not a regular file"):
        ka.load_model(folder)


def test_what_a_killed_process_left_is_removed(tmp_path, monkeypatch):
    """Loading and saving write whole models there."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    code = (
        "import importlib.util, sys, time\n"
        "spec = importlib.util.spec_from_file_location('scratch', sys.argv[1])\n"
        "module = importlib.util.module_from_spec(spec); spec.loader.exec_module(module)\n"
        "with module.folder() as folder:\n"
        "    (folder / 'model.keras').write_text('x')\n"
        "    print(folder, flush=True); time.sleep(60)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, scratch.__file__],
        stdout=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        text=True,
    )
    left = process.stdout.readline().strip()
    os.utime(left, (time.time() - 3600,) * 2)
    with scratch.folder():
        assert os.path.exists(left), "its process lives"
    process.send_signal(signal.SIGKILL)
    process.wait()
    with scratch.folder() as folder:
        assert not os.path.exists(left)
        assert folder.exists()
    assert not list(tmp_path.iterdir())
