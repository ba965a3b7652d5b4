"""A figure at the end of a cell is shown, whether pyplot was imported or not."""

import io

import pytest
from PIL import Image

from keras_attention.explain.plots.literal_figure import LiteralFigure

pytestmark = pytest.mark.runs_on("torch")


def test_a_figure_shows_itself():
    figure = LiteralFigure(figsize=(3, 2), dpi=100)
    figure.suptitle("$5")
    assert Image.open(io.BytesIO(figure._repr_png_())).size == (300, 200)
