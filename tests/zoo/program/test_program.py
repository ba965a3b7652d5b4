"""The program before Keras is imported: its help, and mistakes of one line."""

import subprocess
import sys
from pathlib import Path

import pytest

from zoo import box
from zoo.program import commands, main, paths

pytestmark = pytest.mark.runs_on("torch")
ROOT = Path(__file__).parents[3]
LIGHT = """
import sys
for name in ("keras", "torch", "jax", "tensorflow", "numpy", "pandas", "sklearn", "matplotlib"):
    sys.modules[name] = None
from zoo import box
from zoo.program import commands, main, paths
lines = [["--help"], *([name, "--help"] for name in commands.names()),
         ["train", "text-classification", "--help"], ["train", "iris", "--help"]]
for words in lines:
    try:
        main(words)
    except SystemExit as end:
        assert not end.code, end.code
"""


def run(*words):
    return subprocess.run(
        [sys.executable, *words], cwd=ROOT, capture_output=True, encoding="utf-8", check=False
    )


def test_help_of_every_command_imports_nothing_heavy():
    """And has an example."""
    ran = run("-c", LIGHT)
    assert ran.returncode == 0, ran.stderr
    for name in commands.names():
        assert f"usage: keras-attention {name} " in ran.stdout
        assert f"\n    keras-attention {name}" in ran.stdout
    assert "usage: keras-attention train text-classification [-h] --data PATH" in ran.stdout
    assert "--label LABEL" in ran.stdout
    assert "text-classification " in ran.stdout


def test_the_package_is_the_program():
    ran = run("-m", "zoo", "trian")
    assert ran.returncode == 2
    assert ran.stderr == (
        "keras-attention: argument COMMAND: there is no command 'trian': did you mean train? "
        "See --help.\n"
    )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("predict x.keras hi", "there is no file x.keras"),
        ("predict txt_clinc hi", "there is no file txt_clinc: did you mean text_clinc?"),
        ("predict {} hi", "there is no model.keras in the folder {}."),
        ("predict {}/model.keras", "pass one or more INPUTs, or a table as --data FILE."),
        ("predict {}/model.keras hi --column text", "--column and --output are for a table"),
        ("predict {}/model.keras --data {}/x.csv --output {}/x.csv", "which would be lost"),
        ("predict {}/model.keras --data {}/x.csv --output x.txt", "must be a .csv file"),
        ("predict {}/model.keras --data {}/x.csv --image x.png", "are for INPUTs"),
        ("generate {}/model.keras", "pass a PROMPT, or --lines FILE"),
        ("generate {}/model.keras a b --stream", "--stream shows one text"),
        ("evaluate {}/model.keras", "pass --recipe"),
        ("evaluate {}/model.keras --recipe irs", "no recipe 'irs': did you mean iris?"),
        ("convert {} x", "pass --like"),
        ("train texts", "there is no task or recipe 'texts'"),
        ("train text-clasification", "did you mean text-classification?"),
        ("train text-classification", "the following arguments are required: --data"),
        ("train text-classification --data {}/y.csv", "did you mean {}/x.csv?"),
        ("train text-classification --data {}/x.csv --txt a", "did you mean --text?"),
        (
            "train text-classification --data {}/x.csv --output {}/x.csv",
            "--output: {}/x.csv is a file",
        ),
        ("train iris --lora 3", "--lora adapts a published encoder: pass --init as well"),
        ("train iris --backend pytorch", "no backend 'pytorch': did you mean torch?"),
    ],
)
def test_a_mistake_is_one_line(line, message, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    (tmp_path / "x.csv").write_text("text,label\n")
    folder = tmp_path / "run"
    folder.mkdir()
    if "model.keras" in line:
        line = line.replace("{}/model.keras", f"{folder}/model.keras")
        (folder / "model.keras").write_bytes(b"PK")
    with pytest.raises(SystemExit) as end:
        main(line.replace("{}", str(tmp_path)).split())
    said = capsys.readouterr()
    assert message.replace("{}", str(tmp_path)) in said.err
    assert said.err.count("\n") == 1
    assert end.value.code == 2
    assert said.out == ""


def test_a_model_is_found_by_its_name_and_by_its_folder(tmp_path):
    assert paths.model("hf://user/name") == "hf://user/name"
    named = paths.model("text_clinc")
    assert named == box.describe("text_clinc").path
    assert paths.beside(named) == Path()
    (tmp_path / "model.keras").write_bytes(b"PK")
    assert paths.model(str(tmp_path)) == tmp_path / "model.keras"
    assert paths.beside(tmp_path / "model.keras") == tmp_path
    (tmp_path / "config.json").write_text("{}")
    assert paths.model(str(tmp_path)) == tmp_path
