"""Ordinary mistakes on the command line: one line each, before anything heavy is imported."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from zoo import recipes
from zoo.program import inputs

pytestmark = pytest.mark.runs_on("torch")
ROOT = Path(__file__).parents[2]
LIGHT = """
import runpy, sys
for name in ("keras", "torch", "jax", "tensorflow", "sklearn", "matplotlib"):
    sys.modules[name] = None
sys.argv = sys.argv[1:]
sys.path.insert(0, "scripts")
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def model(path, *layers, inputs=()):
    """A file with these layers in its configuration, and nothing else."""
    named = [{"class_name": name, "config": {"name": name.lower()}} for name in layers]
    named += [{"class_name": "InputLayer", "config": {"name": name}} for name in inputs]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps({"config": {"layers": named}}))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    model(folder / "images.keras", "ImageConverter")
    model(folder / "texts.keras", "Tokenizer")
    model(folder / "tables.keras", "NumericColumns", "CategoricalColumns")
    model(folder / "questions.keras", "ImageConverter", "Tokenizer")
    model(folder / "captions.keras", "ImageConverter", "Tokenizer", inputs=["target_ids"])
    (folder / "damaged.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(40))
    (folder / "figure.eps").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    (folder / "metrics.json").write_text("{")
    return folder


@pytest.mark.parametrize(
    ("code", "words", "message"),
    [
        (2, "train.py irs", "no task or recipe 'irs': did you mean iris?"),
        (2, "train.py iris --variant defalt", "no variant of iris 'defalt': did you mean default?"),
        (2, "train.py iris --variant 9", "'9'; there are default, reference, tiny."),
        (2, "train.py iris --batchsize 3", "no argument --batchsize 3: did you mean --batch-size?"),
        (2, "train.py iris --epochs 0", "--epochs: '0' is no whole number from 1 on."),
        (2, "train.py iris --seed -1", "--seed: '-1' is no whole number from 0 on."),
        (2, "train.py iris --precision float61", "'float61': did you mean"),
        (2, "train.py iris --repeats 2 --resume", "--repeats leaves no checkpoints"),
        (1, "train.py iris --output {}/texts.keras", "File exists"),
        (2, "predict.py {}/image.keras x", "did you mean {}/images.keras?"),
        (1, "predict.py {}/images.keras hello", "no file 'hello', and the model reads images."),
        (1, "predict.py {}/images.keras {}/damagd.png", "did you mean {}/damaged.png?"),
        (1, "predict.py {}/images.keras {}/damaged.png", "is no picture, or a damaged one"),
        (1, "predict.py {}/images.keras {}/figure.eps", "is no picture, or a damaged one"),
        (1, "predict.py {}/questions.keras color", "pass --image PATH."),
        (1, "predict.py {}/questions.keras color --image x.png", "no file 'x.png'"),
        (1, "predict.py {}/texts.keras hi --image x.png", "reads no text and image together"),
        (
            1,
            "predict.py {}/tables.keras rows.csv",
            "no file 'rows.csv', and the model reads tables",
        ),
        (1, "generate.py {}/captions.keras hello", "no file 'hello', and the model reads images."),
        (1, "visualize.py {}/images.keras hello", "no file 'hello'"),
        (2, "visualize.py {}/texts.keras hi --method relevnce", "did you mean relevance?"),
        (2, "visualize.py {}/texts.keras hi --output x.gif", "must be a .png in a folder"),
        (2, "translate.py {}/texts.keras --reference {}/none.txt", "there is no file"),
        (2, "evaluate.py {}/nothing.keras", "there is no file"),
        (1, "evaluate.py {}/texts.keras", "{}/metrics.json is no JSON file"),
        (2, "curves.py {}/history-*.json", "there is no file {}/history-*.json"),
        (2, "faithfulness.py {}/model.keras", "there is no file"),
        (2, "results.py --add {}/none.json", "there is no file"),
        (2, "benchmark.py --only overhed", "no benchmark 'overhed': did you mean overhead?"),
    ],
)
def test_a_mistake_is_one_line(folder, code, words, message):
    script, *words = words.replace("{}", str(folder)).split()
    ran = subprocess.run(
        [sys.executable, "-c", LIGHT, f"scripts/{script}", *words],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert ran.returncode == code, ran.stderr
    assert message.replace("{}", str(folder)) in ran.stderr
    assert ran.stderr.count("\n") == 1
    assert ran.stdout == ""


def test_what_a_text_is_called_does_not_open_a_file(folder):
    asked = [str(folder / "damaged.png"), "please open rows.csv"]
    assert inputs.read({"texts"}, asked) == asked
    assert inputs.read({"tables"}, ["1,2"]) == ["1,2"]
    assert inputs.read(None, asked) == [Path(asked[0]), asked[1]]


def test_a_text_that_names_a_table_is_remarked_on(tmp_path, capsys):
    asked = [str(tmp_path / "rows.csv"), "rows.csv"]
    Path(asked[0]).write_text("text\na\n")
    assert inputs.read({"texts"}, asked) == asked
    assert capsys.readouterr().err == (
        f"Note: {asked[0]!r} is read as a text. Pass --data {asked[0]} for the rows of that file.\n"
    )


@pytest.mark.parametrize("content", [b"", b"PK", b'{"config": 3}'])
def test_a_file_that_is_no_model_is_left_to_the_loader(tmp_path, content):
    (tmp_path / "model.keras").write_bytes(content)
    assert inputs.find_kinds(tmp_path / "model.keras") is None
    assert inputs.find_kinds("hf://user/name") is None


@pytest.mark.parametrize("name", recipes.names())
def test_variants_are_known_without_an_import(name):
    assert recipes.variants(name) == list(
        __import__(f"zoo.recipes.{name}", fromlist=["_"]).VARIANTS
    )
