"""The page of a model and an input, whatever kind of model it is."""

from typing import Any

import keras
import numpy as np

from keras_attention import prediction
from keras_attention.explain.attribution.elements import (
    Elements,
    Frames,
    ImagePatches,
    Nodes,
    elements,
)
from keras_attention.explain.maps.attention_maps import attention_maps
from keras_attention.explain.maps.generation_maps import Generated, write_for_first
from keras_attention.explain.pages.html import to_html
from keras_attention.explain.pages.image import Patches
from keras_attention.explain.pages.view import View


def page(model: keras.Model, inputs: Any) -> View:
    """Returns the attention weights of the first input of a batch as a page to explore.

    Raises:
        ValueError: the input is a graph, or an image with a text; or its weights are too many for a
            page.
    """
    title = f"Attention weights of {model.name}"
    if prediction.writes_text(model):
        return _page_of_writing(write_for_first(model, inputs), title)
    batch = elements(model, inputs)
    if isinstance(batch, Nodes):
        raise ValueError("A page shows sequences and images. Draw graphs with `heads`.")
    if prediction.image_and_text(model):
        raise ValueError("A page shows one sequence or image. Draw a text about one with `heads`.")
    maps = attention_maps(model, batch.inputs)
    longest = max(max(weights.shape[2:]) for weights in maps.values())
    return to_html(maps, _tokens(batch, longest), title=title)


def _page_of_writing(written: Generated, title: str) -> View:
    """Returns the page of a text that was written, each axis with the name of its sequence."""
    sequences: dict[str, list[str]] = {}

    def name(labels: list[str]) -> str:
        for known, others in sequences.items():
            if others == labels:
                return known
        new = f"sequence {len(sequences) + 1}"
        sequences[new] = labels
        return new

    axes = {path: (name(written.queries[path]), name(written.keys[path])) for path in written.maps}
    return to_html(written.maps, sequences, axes=axes, title=title)


def _tokens(batch: Elements, longest: int) -> list[Any]:
    """Returns the tokens of the first input, of which the longest axis of a map has so many."""
    tokens: list[Any] = list(batch.labels[0]) if batch.labels else []
    if isinstance(batch, ImagePatches):
        cells = batch.grid[0] * batch.grid[1]
        special = ["class", *(f"register {i + 1}" for i in range(longest - cells - 1))]
        pixels = np.clip(batch.array[0], 0, 255).astype(np.uint8)
        return [*special[: longest - cells], Patches(pixels, batch.grid)]
    if isinstance(batch, Frames) and batch.bands > 1:
        return [f"{time}, band {band + 1}" for time in tokens for band in range(batch.bands)]
    return tokens
