"""scripts/visualize.py: a picture and a page of text and images, with the file of a model alone."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import keras_attention as ka
from zoo.text_classifier import VARIANTS as TEXT
from zoo.text_classifier import text_classifier
from zoo.vit import VARIANTS as VIT
from zoo.vit import vit

ROOT = Path(__file__).parents[2]


def run(*args, fails=False):
    process = subprocess.run(
        [sys.executable, "scripts/visualize.py", *map(str, args)],
        capture_output=True,
        encoding="utf-8",
        cwd=ROOT,
        check=False,
    )
    assert bool(process.returncode) == fails, process.stderr
    return process.stderr if fails else process.stdout


def test_a_text(tmp_path):
    texts = ["the cat sat on the mat", "a dog ran in the park"] * 3
    model = text_classifier(
        **TEXT["tiny"],
        tokenizer=ka.layers.Tokenizer.train(texts, model="word", min_frequency=1),
        class_names=["cat", "dog"],
    )
    ka.save_model(model, tmp_path / "model.keras")
    page, picture = tmp_path / "attention.html", tmp_path / "why.png"
    printed = run(
        tmp_path / "model.keras",
        *("the cat ran", "a dog sat"),
        *("--target", "dog", "--html", page, "--output", picture),
    )
    scores = ka.explain.relevance(model, ["the cat ran"], target=1).scores[0]
    best = ["the", "cat", "ran"][int(np.argmax(scores))]
    assert f"  {best}: {scores.max():.4g}\n" in printed
    assert picture.stat().st_size > 1000
    assert "cat" in page.read_text()
    wrong = run(tmp_path / "model.keras", "the cat", "--target", "cow", fails=True)
    assert "`target` must be an index or one of cat, dog. Received: target='cow'" in wrong


@pytest.mark.parametrize("method", ["heads", "rollout"])
def test_an_image(tmp_path, method):
    from PIL import Image

    model = vit(**VIT["tiny"], image_size=8, channels=1, num_classes=2)
    ka.save_model(model, tmp_path / "model.keras")
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "image.png")
    run(tmp_path / "model.keras", tmp_path / "image.png", "--method", method)
    assert (tmp_path / f"{method}.png").stat().st_size > 1000
