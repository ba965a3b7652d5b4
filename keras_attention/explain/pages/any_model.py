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


def page(model: keras.Model, inputs: Any, *, max_new_tokens: int | None = None) -> View:
    """Returns the attention weights of the first input of a batch as a page to explore.

    Of a model that writes, they are those of what it writes greedily:

    ```python
    ka.explain.page(gpt, "Once upon a time", max_new_tokens=20).save("story.html")
    ```

    Args:
        model: functional.
        inputs: a batch, arrays or raw values; or one text.
        max_new_tokens: tokens that a language model adds to its input: the page shows what it read
            for each of them. `None` for the input alone. A model that translates or captions writes
            64 at most by default.

    Raises:
        ValueError: the input is a graph, or an image with a text; or its weights are too many for a
            page.
    """
    title = f"Attention weights of {model.name}"
    if max_new_tokens is not None or prediction.writes_text(model):
        written = write_for_first(model, inputs, max_new_tokens=max_new_tokens)
        return _page_of_writing(written, title)
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

    def name(kind: str, labels: list[str]) -> str:
        """Returns the name of a sequence: its kind, and how many there are where there is none."""
        fits = sequences.setdefault(kind, labels) == labels
        return kind if fits else name(f"{len(labels)} of {kind}", labels)

    axes = {}
    for path, (query, key) in written.axes.items():
        axes[path] = name(query, written.queries[path]), name(key, written.keys[path])
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
