import json
import os
import subprocess
import sys

import pytest

from zoo.program import backend

pytestmark = pytest.mark.runs_on("torch")


@pytest.fixture
def choose(monkeypatch, tmp_path, capsys):
    """`choose` on a machine with these backends, this keras.json and this KERAS_BACKEND."""

    def run(*installed, config=None, environment=None, home="KERAS_HOME", asked=None):
        monkeypatch.setenv("KERAS_BACKEND", environment or "")
        monkeypatch.delenv("KERAS_HOME", raising=False)
        folder = tmp_path if home == "KERAS_HOME" else tmp_path / ".keras"
        folder.mkdir(exist_ok=True)
        monkeypatch.setenv(home, str(tmp_path))
        if config is not None:
            (folder / "keras.json").write_text(config)
        monkeypatch.setattr(
            backend.importlib.util, "find_spec", lambda name: name if name in installed else None
        )
        chosen = backend.choose(asked)
        assert os.environ["KERAS_BACKEND"] == chosen
        printed = capsys.readouterr().out
        assert printed.startswith(f"Backend: {chosen} (")
        assert printed.count("\n") == 1
        return chosen, printed

    return run


def named(backend):
    return json.dumps({"floatx": "float32", "backend": backend})


def test_environment_comes_first(choose):
    chosen, printed = choose("jax", "torch", config=named("torch"), environment="jax")
    assert chosen == "jax"
    assert "KERAS_BACKEND is set" in printed


def test_what_is_asked_for_comes_before_all(choose):
    chosen, printed = choose("jax", "torch", environment="jax", asked="torch")
    assert chosen == "torch"
    assert "(--backend)" in printed


@pytest.mark.parametrize(
    ("environment", "message"),
    [("pytorch", "no backend 'pytorch': did you mean torch"), ("torch", "torch is not installed")],
)
def test_an_environment_that_names_no_backend_is_told(choose, environment, message):
    with pytest.raises(SystemExit, match=f"KERAS_BACKEND: .*{message}"):
        choose("jax", environment=environment)


@pytest.mark.parametrize("home", ["KERAS_HOME", "HOME"])
def test_then_the_config_file(choose, home):
    chosen, printed = choose("tensorflow", "torch", config=named("torch"), home=home)
    assert chosen == "torch"
    assert "keras.json" in printed


def test_a_config_file_naming_what_is_not_installed_is_passed_over(choose):
    chosen, printed = choose("torch", config=named("tensorflow"))
    assert chosen == "torch"
    assert "names tensorflow, which is not installed" in printed


def test_a_config_file_naming_another_backend_is_passed_over(choose):
    chosen, printed = choose("jax", "numpy", config=named("numpy"))
    assert chosen == "jax"
    assert "names numpy, which keras_attention does not run on" in printed


@pytest.mark.parametrize("config", [None, "{", "[]", "{}", '{"backend": 3}'])
def test_without_a_usable_config_file_the_first_installed(choose, config):
    assert choose("torch", "jax", config=config)[0] == "jax"
    os.environ["KERAS_BACKEND"] = ""
    assert choose("torch", config=config)[0] == "torch"


def test_nothing_installed_says_what_to_install(choose):
    with pytest.raises(SystemExit, match=r"none is installed.*pip install torch \(or jax"):
        choose()


@pytest.mark.skipif(sys.platform != "linux", reason="others have another malloc")
@pytest.mark.parametrize("setting", [{}, {"MALLOC_TOP_PAD_": "0"}], ids=["", "of the environment"])
def test_memory_is_kept(setting):
    """An array as large as one before it needs no new pages, unless the environment says how."""
    code = """
import resource
import numpy as np
from zoo.program import backend
backend.keep_memory()
np.ones(2**24)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
np.ones(2**24)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MALLOC_")}
    ran = subprocess.run(
        [sys.executable, "-c", code],
        env={**environment, **setting},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (int(ran.stdout) < 10) == (not setting)
