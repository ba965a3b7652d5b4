"""Figures of a model and raw inputs, whatever kind of model it is.

Unlike the other figures of `plots`, these ask for maps and explanations by themselves. They are not
imported by `plots`, which explanations import.
"""

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import keras

from keras_attention import prediction
from keras_attention.explain import plots
from keras_attention.explain.attribution.elements import (
    Elements,
    Frames,
    ImagePatches,
    Nodes,
    elements,
)
from keras_attention.explain.attribution.elements.frames import framing
from keras_attention.explain.attribution.explanation import Explanation
from keras_attention.explain.attribution.names import class_names, name_reasons
from keras_attention.explain.maps import generation_maps
from keras_attention.explain.maps.attention_maps import attention_maps

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def heads(
    model: keras.Model,
    inputs: Any,
    *,
    position: int | None = None,
    max_new_tokens: int | None = None,
) -> "Figure":
    """Draws the attention weights of a batch.

    - Of texts, every head of each layer of self-attention for the first one.
    - Of a model that writes, which has an input `target_ids`: every head of each layer of
      cross-attention, while it translates the first text; or what it reads of the first image for
      each word of its caption, see `caption`.
    - Of images and of recordings, what each layer reads of their patches, the mean over heads.
    - Of the first graph, what the node at `position` reads of its neighbours in the last layer.

    Args:
        model: functional.
        inputs: a batch, arrays or raw values.
        position: of the node, for graphs.
        max_new_tokens: tokens that a language model adds to its input: the figure shows what it
            read for each of them. `None` for the input alone. A model that translates or captions
            writes 64 at most by default.

    Raises:
        ValueError: no layer has weights of these elements, or `position` is missing.
    """
    title = f"What each token reads, head by head ({model.name})"
    if max_new_tokens is not None or prediction.writes_text(model):
        if len(model.inputs[0].shape) == 4:  # an image
            most = max_new_tokens or generation_maps.MOST_TOKENS
            return caption(model, inputs, max_new_tokens=most)
        written = generation_maps.write_for_first(model, inputs, max_new_tokens=max_new_tokens)
        return _draw_writing(written, title)
    batch = elements(model, inputs)
    maps = attention_maps(model, batch.inputs)
    by_layer = f"What each layer reads, mean over heads ({model.name})"
    if isinstance(batch, ImagePatches):
        return _draw_patches(batch, maps, by_layer)
    if isinstance(batch, Frames):
        return _draw_frames(model, batch, maps, by_layer)
    if isinstance(batch, Nodes):
        return _draw_node(model, batch, maps, position)
    return _draw_tokens(model, batch, maps, title)


def caption(
    model: keras.Model,
    images: Any,
    *,
    sampler: Any = None,
    max_new_tokens: int,
    title: str = "",
) -> "Figure":
    """Draws the first image, and for each word that the model writes about it what the last layer
    of cross-attention reads of it, the mean over heads.

    A model may write no word, early in its training.

    Args:
        model: from an image and an input `target_ids`.
        images: a batch, arrays or paths; or a mapping by inputs, of a model that reads a text too.
        sampler, max_new_tokens: as in `ka.generate`; greedy if `None`.
        title: of the figure, above the caption.
    """
    by_input = images if isinstance(images, Mapping) else {model.inputs[0].name: images}
    first = {name: values[:1] for name, values in by_input.items()}
    written = generation_maps.generation_maps(
        model, first, sampler=sampler, max_new_tokens=max_new_tokens
    )[0]
    (*_, path) = written.cross_attention
    words, weights = generation_maps.by_word(written, path)
    rows, columns = _regions(model, weights.shape[-1])
    of_image = weights.mean(axis=0)[:, -rows * columns :]  # behind the words of a question
    name = model.inputs[0].name
    return plots.word_attention(
        prediction.encoders(model)[name].encode(first[name])[0],
        words,
        of_image.reshape(-1, rows, columns),
        title=f"{title}\n{written.output or '(no word)'}".strip(),
    )


def explain(
    model: keras.Model,
    inputs: Any,
    method: Callable[..., Explanation],
    *,
    title: str = "",
    **how: Any,
) -> tuple[Explanation, "Figure"]:
    """Returns the explanation that a method gives for a batch, and a figure of it.

    The figure of a model that reads an image and a text has both, unless `name` says which; the
    explanation is then that of the image.

    Args:
        model: functional.
        inputs: a batch, arrays or raw values.
        method: of `ka.explain`.
        title: of the figure.
        how: further arguments of the method.
    """
    names = prediction.image_and_text(model)
    if names is None or "name" in how:
        explanation = method(model, inputs, **how)
        lines = name_reasons(model, explanation)
        if explanation.elements.kind == "tokens":  # which have one line each
            lines = [line.replace("\n", ", ") for line in lines]
        return explanation, explanation.figure(lines, title=title)
    image, text = (method(model, inputs, name=name, **how) for name in names)
    lines = name_reasons(model, image)
    return image, plots.image_and_text(image, text, lines, title=title)


def _draw_writing(written: generation_maps.Generated, title: str) -> "Figure":
    """Draws what was read of the source, or where there is none of the text itself."""
    paths = written.cross_attention or tuple(written.maps)
    return plots.attention_heads(
        {path: written.maps[path] for path in paths},
        written.queries[paths[0]],
        key_labels=written.keys[paths[0]],
        title=title,
    )


def _draw_tokens(
    model: keras.Model, batch: Elements, maps: Mapping[str, Any], title: str
) -> "Figure":
    """Draws the layers of self-attention for the first text, or else those that pool it."""
    count, length = int(batch.present[0].sum()), batch.present.shape[1]
    labels = batch.labels[0][:count]
    square = {
        path: weights[0][:, :count, :count]
        for path, weights in maps.items()
        if weights.shape[2:] == (length, length)
    }
    if square:
        return plots.attention_heads(square, labels, title=title)
    pooling = {
        path: weights[0][..., :count]
        for path, weights in maps.items()
        if weights.shape[-1] == length
    }
    if not pooling:
        raise ValueError(f"No layer of {model.name!r} has weights of its {batch.kind}.")
    return plots.attention_heads(pooling, key_labels=labels, title=title)


def _draw_patches(batch: ImagePatches, maps: Mapping[str, Any], title: str) -> "Figure":
    patches = batch.present.shape[1]
    of_patches = {path: weights for path, weights in maps.items() if weights.shape[-1] >= patches}
    by_patch = plots.patch_weights(of_patches, *batch.grid)
    at_pixels = {path: batch.cells(weights) for path, weights in by_patch.items()}
    return plots.image_attention(batch.array, at_pixels, title=title)


def _draw_frames(
    model: keras.Model, batch: Frames, maps: Mapping[str, Any], title: str
) -> "Figure":
    layer: Any = framing(model, batch.name or model.inputs[0].name)
    spectrograms = keras.Model(model.inputs[0], layer.output)(batch.inputs, training=False)
    rows = spectrograms.shape[1] * layer.hop_length // batch.hop
    return plots.spectrogram_attention(
        spectrograms,
        plots.patch_weights(maps, rows, batch.bands),
        frames=(batch.present.sum(axis=1) * (batch.hop // layer.hop_length)).tolist(),
        seconds=layer.hop_length / layer.sampling_rate,
        title=title,
    )


def _draw_node(
    model: keras.Model, batch: Nodes, maps: Mapping[str, Any], position: int | None
) -> "Figure":
    if position is None or not isinstance(batch.inputs, Mapping) or "edges" not in batch.inputs:
        raise ValueError(
            "Of a graph, the weights of one node's edges are drawn. Pass its `position`. Received: "
            f"position={position}"
        )
    outputs = keras.ops.convert_to_numpy(model(batch.inputs, training=False))[0]
    path, weights = list(maps.items())[-1]
    return plots.node_attention(
        batch.inputs["edges"][0],
        weights[0],
        position,
        outputs.argmax(axis=-1),
        class_names(model) or [str(i) for i in range(outputs.shape[-1])],
        title=f"Whom node {position} reads, mean over heads ({path} of {model.name})",
    )


def _regions(model: keras.Model, count: int) -> tuple[int, int]:
    """Returns rows and columns of the image's regions, as a layer has them that puts them in a
    grid; there are so many, or fewer if a question stands before them."""
    shapes: Any = (getattr(layer.output, "shape", ()) for layer in model.layers)
    grids = [shape[1:3] for shape in shapes if len(shape) == 4 and shape[1] * shape[2] <= count]
    return max(grids, key=math.prod)
