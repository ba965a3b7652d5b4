"""`keras-attention list`: what comes along, told without Keras."""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import pytest

from zoo import box
from zoo.program.commands import list as command

pytestmark = pytest.mark.runs_on("torch")

ROOT = Path(__file__).parents[3]


def listed(capsys, *words):
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    command.run(parser.parse_args(words))
    return capsys.readouterr().out


def test_a_line_for_each_model(capsys):
    header, *lines, last = listed(capsys).splitlines()
    assert header.split() == ["MODEL", "TASK", "SCORE", "SIZE", "LICENCE", "DATA"]
    assert [line.split()[0] for line in lines] == box.names()
    for line in lines:
        model = box.describe(line.split()[0])
        for word in (model.task, f"{model.test[model.score]:.4g}", model.license, model.data):
            assert word in line
    assert last.startswith("Next: keras-attention predict text_clinc")


def test_as_json(capsys):
    content = json.loads(listed(capsys, "--json"))
    assert sorted(content) == box.names()
    assert content["text_clinc"]["test"] == box.describe("text_clinc").test


def test_keras_is_not_imported():
    program = """
import argparse, sys
from zoo.program.commands import list as command
command.run(argparse.Namespace(json=False))
print(sorted({"keras", "numpy", "pandas"} & set(sys.modules)))
"""
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert run.stdout.splitlines()[-1] == "[]"
