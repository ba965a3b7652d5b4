"""SIGKILL and limits of the disk, in processes of their own."""

import json
import random
import signal
import time

import numpy as np
import pytest

from tests.callbacks import killing


@pytest.fixture(autouse=True)
def compiled_once(monkeypatch, tmp_path_factory):
    """JAX's compiled functions are kept on disk, or each process compiles its own."""
    # Set before the first process: the one they are forked from reads it.
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "jax"))
    monkeypatch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")


def newest_step(folder):
    """The step of the newest complete checkpoint, 0 if there is none."""
    manifests = folder.glob("step-*.json")
    return max((json.loads(path.read_text())["step"] for path in manifests), default=0)


def leftovers(folder):
    """Returns what a killed save leaves: temporary files, models without manifests."""
    manifests = {path.stem for path in folder.glob("step-*.json")}
    return [
        path
        for path in (folder.iterdir() if folder.exists() else ())
        if path.name.startswith(".") or (path.suffix == ".keras" and path.stem not in manifests)
    ]


def test_killed_again_and_again_and_the_same_weights(tmp_path, request):
    """Thirty times with `--full`, else three."""
    kills, epochs = (30, 100) if request.config.getoption("full") else (3, 20)
    folder = tmp_path / "checkpoints"
    with killing.process(killing.train, None, 1, epochs) as (_, pipe):
        assert pipe.poll(120), "the uninterrupted training does not end"
        _, uninterrupted = pipe.recv()

    rng = random.Random(0)
    saves_hit, lives = 0, []
    for number in range(kills):
        expected = newest_step(folder)
        with killing.process(killing.train, str(folder), 1, epochs) as (child, pipe):
            if number % 6 != 5:
                assert pipe.poll(120), f"life {number} does not begin"
                assert pipe.recv() == ("begun", expected)
                assert pipe.poll(120), f"life {number} trains nothing"
                assert pipe.recv() == ("trained", None)
            # Else it is killed as it imports, restores or cleans up.
            time.sleep(rng.uniform(0, 0.25))
            child.kill()
            child.join()
            assert child.exitcode == -signal.SIGKILL, f"life {number} ended by itself"
        saves_hit += bool(leftovers(folder))
        lives.append(newest_step(folder) - expected)
    print("steps per life:", lives, "kills within a save:", saves_hit)
    if kills == 30:
        assert saves_hit >= 5, f"only {saves_hit} of {kills} kills hit a save"
    assert 0 < newest_step(folder) < killing.BATCHES * epochs

    expected = newest_step(folder)
    with killing.process(killing.train, str(folder), 1000, epochs) as (_, pipe):
        messages = []
        while not messages or messages[-1][0] != "done":
            assert pipe.poll(120), "the last life does not end"
            messages.append(pipe.recv())
    assert messages[0] == ("begun", expected)
    for ours, theirs in zip(messages[-1][1], uninterrupted, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert not leftovers(folder)


@pytest.mark.parametrize(("on_error", "limit"), [("stop", 1000), ("continue", 20_000)])
def test_limit_on_file_sizes_leaves_the_old_checkpoint(tmp_path, on_error, limit):
    folder = tmp_path / "checkpoints"
    with killing.process(killing.train_with_limit, str(folder), on_error, limit) as (_, pipe):
        assert pipe.poll(120)
        what, detail = pipe.recv()
    if on_error == "stop":
        assert what == "stopped"
        assert "Earlier ones are unharmed" in detail
    else:
        assert (what, detail) == ("trained", 2 * killing.BATCHES)
    assert sorted(path.name for path in folder.iterdir()) == [
        "step-00000006-end.json",
        "step-00000006-end.keras",
    ]
