"""scripts/visualize.py: a picture and a page of text and images, with the file of a model alone."""

import numpy as np
import pytest

import keras_attention as ka
from keras_attention.explain.maps import generation_maps
from tests.decoding.models import image_captioner
from tests.scripts.running import run
from zoo.models.text_classifier import VARIANTS as TEXT
from zoo.models.text_classifier import text_classifier
from zoo.models.vit import VARIANTS as VIT
from zoo.models.vit import vit

pytestmark = pytest.mark.runs_on("jax")


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
        "visualize",
        tmp_path / "model.keras",
        *("the cat ran", "a dog sat"),
        *("--target", "dog", "--html", page, "--output", picture),
    )
    scores = ka.explain.relevance(model, ["the cat ran"], target=1).scores[0]
    best = ["the", "cat", "ran"][int(np.argmax(scores))]
    assert f"  {best}: {scores.max():.4g}\n" in printed
    assert picture.stat().st_size > 1000
    assert "cat" in page.read_text()
    with pytest.raises(SystemExit, match=r"an index or one of cat, dog\. Received: target='cow'"):
        run("visualize", tmp_path / "model.keras", "the cat", "--target", "cow")


@pytest.mark.parametrize("method", ["heads", "rollout"])
def test_an_image(tmp_path, method):
    from PIL import Image

    model = vit(**VIT["tiny"], image_size=8, channels=1, num_classes=2)
    ka.save_model(model, tmp_path / "model.keras")
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "image.png")
    run("visualize", tmp_path / "model.keras", tmp_path / "image.png", "--method", method)
    assert (tmp_path / f"{method}.png").stat().st_size > 1000


def test_a_caption(tmp_path, monkeypatch):
    """Without a method: a model that writes has no answer to explain."""
    from PIL import Image

    monkeypatch.setattr(generation_maps, "MOST_TOKENS", 3)
    ka.save_model(image_captioner(), tmp_path / "model.keras")
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "image.png")
    assert "heads.png" in run("visualize", tmp_path / "model.keras", tmp_path / "image.png")
    assert (tmp_path / "heads.png").stat().st_size > 1000
