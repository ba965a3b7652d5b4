"""scripts/convert.py: from a published checkpoint to a file of Keras, and back."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

import keras_attention as ka
import zoo.pretrained
from tests.backend import to_numpy
from tests.scripts import running

pytestmark = pytest.mark.runs_on("jax")
TINY = Path(__file__).parents[1] / "zoo" / "pretrained" / "checkpoints" / "bert"
IDS = np.array([[2, 6, 7, 3]], "int32")


def test_there_and_back(tmp_path):
    printed = running.run("convert", TINY, tmp_path / "model.keras")
    assert "model.keras: bert, 11,600 weights, to (None, None, 24)" in printed
    model = ka.load_model(tmp_path / "model.keras")
    expected = to_numpy(zoo.pretrained.load(TINY)(IDS))
    np.testing.assert_array_equal(to_numpy(model(IDS)), expected)

    running.run("convert", tmp_path / "model.keras", tmp_path / "folder", "--like", TINY)
    theirs = load_file(TINY / "model.safetensors")
    for name, array in load_file(tmp_path / "folder" / "model.safetensors").items():
        np.testing.assert_array_equal(array, theirs[name])


@pytest.mark.filterwarnings("ignore:.*begin at random")
def test_a_new_head(tmp_path):
    words = ["--task", "classes", "--class-names", "no,yes", "--dtype", "bfloat16"]
    running.run("convert", TINY, tmp_path / "model.keras", *words)
    model = ka.load_model(tmp_path / "model.keras")
    assert list(model.layers[-1].class_names) == ["no", "yes"]
    assert model.get_layer("embedding").embeddings.dtype == "bfloat16"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([TINY, "folder"], "pass --like"),
        ([TINY, "x.keras", "--like", TINY], "--like is for the way back"),
        (["absent.keras", "folder", "--like", TINY], "there is no file absent.keras"),
        ([TINY, "folder", "--like", TINY, "--task", "tags"], "--task, --class-names and --dtype"),
        (["absent", "x.keras"], "There is no folder absent"),
        ([TINY, "x.keras", "--task", "rhyme"], "`task` must be one of 'features'"),
        ([TINY, "x.keras", "--tusk", "tags"], "did you mean --task?"),
    ],
)
def test_mistakes_are_told_in_one_line(words, message, capsys):
    with pytest.raises(SystemExit) as error:
        running.start("convert", *words)
    assert message in f"{error.value} {capsys.readouterr().err}"
