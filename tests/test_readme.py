"""Every code block of the README runs, and the commands are those that are tested."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import keras
import pytest

pytestmark = pytest.mark.runs_on("torch")
ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", README, flags=re.DOTALL | re.MULTILINE)
COMMANDS = [line for language, code in BLOCKS if language == "bash" for line in code.splitlines()]
# What makes the scripts quick.
SMALL = {
    "train.py iris": "train.py iris --smoke --output runs/iris",
    "train.py vit_digits": "train.py vit_digits --smoke --output runs/vit_digits",
    "evaluate.py runs/vit_digits/model.keras": "evaluate.py runs/vit_digits/model.keras --smoke",
    "benchmark.py": "benchmark.py --help",  # tests/scripts/test_benchmark.py measures
}
# Runs the blocks that it reads, as a reader would who pastes one after the other.
READER = """
import json, subprocess, sys
namespace = {}
for language, code in json.load(sys.stdin):
    print(code, flush=True)
    if language == "python":
        exec(compile(code, "README.md", "exec"), namespace)
    else:
        subprocess.run(["bash", "-ec", code], check=True)
"""


def test_the_blocks_are_code_we_know_how_to_run():
    assert {language for language, _ in BLOCKS} == {"bash", "python", ""}
    assert README.count("```") == 2 * len(BLOCKS)


def test_python_and_shell_blocks_run(tmp_path):
    """In order and in a process of their own, which no variable tells the backend; installations
    are what tox itself does."""
    backend = keras.backend.backend()
    (tmp_path / "scripts").symlink_to(ROOT / "scripts")
    environment = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"}
    environment |= {
        "KERAS_HOME": str(tmp_path / "home"),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
    }
    ran = subprocess.run(
        [sys.executable, "-c", READER],
        input=json.dumps([(kind, quick(code, backend)) for kind, code in BLOCKS if kind]),
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr[-4000:]
    assert (tmp_path / "model.keras").exists()
    assert (tmp_path / "runs/iris/model.keras").exists()


def quick(code, backend):
    """A block with what is installed here, and with small models."""
    code = re.sub(r"^python -m pip install \S+(?: \S+)? && ", "", code, flags=re.MULTILINE)
    code = re.sub(r"^tox$", "", code, flags=re.MULTILINE)
    code = re.sub(r"""(KERAS_BACKEND=|"KERAS_BACKEND"] = ")\w+""", rf"\g<1>{backend}", code)
    for command, small in SMALL.items():
        code = code.replace(f"scripts/{command}\n", f"scripts/{small}\n")
    return code


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
