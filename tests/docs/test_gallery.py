"""The gallery has a small picture of each recipe, and its page is what its script writes."""

import importlib.util
import json
from pathlib import Path

import pytest

from zoo import recipes

pytestmark = pytest.mark.runs_on("torch")
DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_is_made_of_the_pictures():
    spec = importlib.util.spec_from_file_location("gallery", DOCS / "extensions/gallery.py")
    gallery = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(gallery)
    sentences = json.loads((DOCS / "gallery/pictures.json").read_text(encoding="utf-8"))
    assert (DOCS / "gallery.md").read_text(encoding="utf-8") == gallery.format_page(sentences)


def test_each_recipe_has_a_small_picture():
    pictures = sorted((DOCS / "gallery").glob("*.png"))
    assert [picture.stem for picture in pictures] == recipes.names()
    assert sum(picture.stat().st_size for picture in pictures) <= 1_500_000
