"""Every code block of the README runs, and the commands are those that are tested."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import keras
import pytest

from tests.scripts import running

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", README, flags=re.DOTALL | re.MULTILINE)
COMMANDS = [line for language, code in BLOCKS if language == "bash" for line in code.splitlines()]


def test_the_blocks_are_code_we_know_how_to_run():
    assert {language for language, _ in BLOCKS} == {"bash", "python", ""}
    assert README.count("```") == 2 * len(BLOCKS)


def test_python_and_shell_blocks_run(tmp_path, monkeypatch):
    """In order, as a reader would; installations are what tox itself does."""
    monkeypatch.chdir(tmp_path)
    policy = keras.config.dtype_policy()
    namespace = {}
    try:
        for language, code in BLOCKS:
            if language == "python":
                exec(compile(code, "README.md", "exec"), namespace)
            elif language == "bash":
                for line in code.splitlines():
                    run(line, tmp_path)
    finally:
        keras.config.set_dtype_policy(policy)
    assert Path("model.keras").exists()


def run(line, folder):
    for command in line.split(" && "):
        words = shlex.split(command)
        if words[:4] == ["python", "-m", "pip", "install"] or words == ["tox"]:
            continue
        environment = {**os.environ, "KERAS_BACKEND": keras.backend.backend()}
        while "=" in words[0]:
            words.pop(0)  # the other backend is not installed here
        assert words[0] == "python"
        script = Path(words[1])
        if script.parent.name == "scripts":
            small = {
                "scripts/benchmark.py": ["--quick", "--rounds", "1", "--only", "overhead"],
                "scripts/evaluate.py": ["--smoke"],
                "scripts/predict.py": [],
                "scripts/train.py": ["--smoke", "--variant", "tiny"],
            }[words[1]]
            words = ["2" if word == "20" else word for word in words[2:]]  # of 20 repeats
            running.run(script.stem, *words, *small)
            continue
        environment["PYTHONPATH"] = str(ROOT)
        result = subprocess.run(
            [sys.executable, *words[1:]],
            env=environment,
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, f"{command}\n{result.stderr}"


def test_the_commands_are_the_tested_ones():
    """CI runs the README's test command, and the extras it installs exist."""
    test_command = next(line for line in COMMANDS if line.endswith("&& tox"))
    assert test_command in (ROOT / ".ci" / "run").read_text().splitlines()
    pyproject = (ROOT / "pyproject.toml").read_text()
    for extra in re.findall(r"`?\.\[(\w+)\]", README):
        assert re.search(rf"^{extra} = \[", pyproject, flags=re.MULTILINE), extra


@pytest.mark.parametrize("name", sorted(__import__("keras_attention").layers.__all__))
def test_every_layer_is_in_the_table(name):
    assert f"| `{name}` |" in README
