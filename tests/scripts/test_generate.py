"""scripts/generate.py and scripts/translate.py, with the file of a model alone."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import keras_attention as ka
from tests.decoding.models import image_captioner, language_model, translator
from tests.scripts import running

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.runs_on("tensorflow")
CORPUS = ["the cat sat on the mat", "a dog ran in the park", "größe 😀 <b>"] * 3


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    settings = {"vocabulary_size": 300, "start_end": True}
    tokenizer = ka.layers.Tokenizer.train(CORPUS, **settings)
    source = ka.layers.Tokenizer.train(CORPUS, **settings, name="source_tokenizer")
    size = tokenizer.vocabulary_size
    writer = language_model(tokenizer=tokenizer, vocabulary_size=size)
    reader = translator(source, tokenizer.copy(name="target_tokenizer"), size)
    ka.save_model(writer, folder / "writer.keras")
    ka.save_model(reader, folder / "reader.keras")
    return folder, writer, reader


def run(script, *args, stdin=None):
    process = subprocess.run(
        [sys.executable, f"scripts/{script}.py", *map(str, args)],
        input=stdin,
        capture_output=True,
        encoding="utf-8",
        cwd=ROOT,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        check=False,
    )
    assert process.returncode == 0, process.stderr
    return process.stdout


def test_generate(models):
    folder, writer, _ = models
    options = {"sampler": ka.decoding.TopP(0.9), "max_new_tokens": 12, "seed": 3}
    expected = "the cat" + ka.generate(writer, "the cat", **options)
    words = ["the cat", "--sampler", "top_p=0.9", "--max-new-tokens", 12, "--seed", 3]
    assert expected in run("generate", folder / "writer.keras", *words)
    assert expected in running.run("generate", folder / "writer.keras", *words, "--stream")

    # Unless told otherwise it draws, the same each time.
    drawn = ka.decoding.TopP(0.95, temperature=0.8)
    drawn = ka.generate(writer, "the cat", sampler=drawn, max_new_tokens=12, seed=0)
    words = ["the cat", "--max-new-tokens", 12]
    assert "the cat" + drawn in running.run("generate", folder / "writer.keras", *words)
    assert drawn != ka.generate(writer, "the cat", max_new_tokens=12)


def test_an_image_is_captioned(tmp_path):
    model = image_captioner()
    ka.save_model(model, tmp_path / "model.keras")
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "image.png")
    options = {"sampler": ka.decoding.BeamSearch(2), "max_new_tokens": 4}
    (expected,) = ka.generate(model, pixels[None], **options)
    words = [tmp_path / "image.png", "--sampler", "beams=2", "--max-new-tokens", 4]
    printed = running.run("generate", tmp_path / "model.keras", *words)
    assert printed.splitlines()[-1] == expected
    assert expected


def test_translate(models, tmp_path):
    folder, _, reader = models
    lines = ["the cat sat", "", "a dog"]
    options = {"sampler": ka.decoding.BeamSearch(2), "max_new_tokens": 6}
    first, last = ka.generate(reader, [lines[0], lines[2]], **options)
    (tmp_path / "reference.txt").write_text("one\ntwo\nthree\n")
    printed = run(
        "translate",
        folder / "reader.keras",
        *["--beams", 2, "--max-new-tokens", 6, "--attention", tmp_path / "attention.png"],
        *["--reference", tmp_path / "reference.txt"],
        stdin="\n".join(lines),
    )
    assert printed.splitlines() == [first, "", last]
    assert (tmp_path / "attention.png").stat().st_size > 1000
