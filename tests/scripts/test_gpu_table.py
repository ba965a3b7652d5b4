"""The script that measures on every backend within minutes."""

import json
import subprocess

import pytest

from tests.scripts import running

pytestmark = pytest.mark.runs_on("torch")


def test_every_backend_has_its_share_of_the_time(tmp_path, monkeypatch):
    """One that takes longer is stopped, and what it had measured is in the table."""
    file, started = tmp_path / "gpu.jsonl", []
    row = {
        "benchmark": "overhead", "case": "eager call", "peer": None, "library": None, "ratio": None,
        "peer_measured": None, "reach": {}, "judged": {}, "device": "cpu", "scale": "gpu",
        "date": "2026-11-30T00:00:00+00:00", "versions": {"python": "3.11"}, "command": "x",
        "machine": {"cpu": "x", "cores": 1, "threads": {}}, "switches": {}, "rounds": 9,
        "ours": {
            "milliseconds": dict.fromkeys(
                ("median", "minimum", "lower_quartile", "upper_quartile"), 1.5
            ),
            "first_call_seconds": 1.0, "peak_mib": None,
        },
    }  # fmt: skip

    def measure(command, *, env, timeout):
        started.append((env["KERAS_BACKEND"], timeout, command[-2:]))
        with file.open("a") as lines:
            lines.write(json.dumps({**row, "backend": env["KERAS_BACKEND"]}) + "\n")
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(subprocess, "run", measure)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name != "jax")
    printed = running.run("gpu_table", "--minutes", 2, "--only", "overhead", "--results", file)
    assert [name for name, *_ in started] == ["tensorflow", "torch"]
    assert [round(timeout) for _, timeout, _ in started] == [60, 120]  # the first took no time
    assert started[0][2] == ["--only", "overhead"]
    assert "### torch, cpu" in printed
    assert printed.count("| overhead | eager call |") == 2
