"""From a model and raw input to a picture or a page, whatever kind of model it is."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from keras_attention import prediction, roles
from keras_attention.explain import plots
from keras_attention.explain.attribution.elements import Elements, Frames, Nodes, Patches, elements
from keras_attention.explain.attribution.elements.frames import framing
from keras_attention.explain.attribution.explanation import Explanation
from keras_attention.explain.maps.attention_maps import attention_maps
from keras_attention.explain.maps.generation_maps import Generated, by_word, generation_maps
from keras_attention.explain.pages.html import to_html
from keras_attention.explain.pages.image import Patches as ImagePatches
from keras_attention.explain.pages.view import View

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_TOKENS = 64  # that a translation or a caption may have


def heads(model: keras.Model, inputs: Any, *, position: int | None = None) -> "Figure":
    """The attention weights of a batch as a figure.

    Of the first text, every head of each layer of self-attention, or of cross-attention while a
    model with an input `target_ids` translates it; of the first image that such a model
    captions, what is read for each word, see `caption`; of other images and of recordings, what
    each layer reads of their patches, the mean over heads; of the first graph, what the node at
    `position` reads of its neighbours in the last layer.

    Args:
        model: functional.
        inputs: a batch, arrays or raw values.
        position: of the node, for graphs.

    Raises:
        ValueError: no layer has weights of these elements, or `position` is missing.
    """
    title = f"Attention weights of {model.name}"
    if _captions(model):
        return caption(model, inputs, max_new_tokens=_MOST_TOKENS)
    if prediction.writes_text(model):
        written = _translation(model, inputs)
        paths = written.cross_attention or tuple(written.maps)
        chosen = {path: written.maps[path] for path in paths}
        names = written.queries[paths[0]], written.keys[paths[0]]
        return plots.attention_heads(chosen, names[0], key_labels=names[1], title=title)
    found = elements(model, inputs)
    maps = attention_maps(model, found.inputs)
    if isinstance(found, Patches):
        patches = found.present.shape[1]
        maps = {path: weights for path, weights in maps.items() if weights.shape[-1] >= patches}
        by_patch = plots.patch_weights(maps, *found.grid)
        at_pixels = {path: found.cells(weights) for path, weights in by_patch.items()}
        return plots.image_attention(found.array, at_pixels, title=title)
    if isinstance(found, Frames):
        return _spectrograms(model, found, maps, title)
    if isinstance(found, Nodes):
        return _neighbours(model, found, maps, position, title)
    count = int(found.present[0].sum())
    length = found.present.shape[1]
    square = {
        path: weights[0][:, :count, :count]
        for path, weights in maps.items()
        if weights.shape[2:] == (length, length)
    }
    if square:
        return plots.attention_heads(square, found.labels[0][:count], title=title)
    one_row = {
        path: weights[0][..., :count]
        for path, weights in maps.items()
        if weights.shape[-1] == length
    }
    if not one_row:
        raise ValueError(f"No layer of {model.name!r} has weights of its {found.kind}.")
    return plots.attention_heads(one_row, key_labels=found.labels[0][:count], title=title)


def caption(
    model: keras.Model,
    images: Any,
    *,
    sampler: Any = None,
    max_new_tokens: int,
    title: str = "",
) -> "Figure":
    """The first image, and what the last layer of cross-attention reads of it for each word that
    the model writes about it, the mean over heads. A model may write none, early in its training.

    Args:
        model: from an image and an input `target_ids`.
        images: a batch, arrays or paths.
        sampler, max_new_tokens: as in `ka.generate`; greedy if `None`.
        title: of the figure, above the caption.
    """
    written = generation_maps(
        model,
        images[:1],
        sampler=sampler,
        max_new_tokens=max_new_tokens,
    )[0]
    (*_, path) = written.cross_attention
    words, weights = by_word(written, path)
    rows, columns = _regions(model, weights.shape[-1])
    return plots.word_attention(
        prediction.encoders(model)[model.inputs[0].name].encode(images[:1])[0],
        words,
        weights.mean(axis=0).reshape(-1, rows, columns),
        title=f"{title}\n{written.output or '(no word)'}".strip(),
    )


def explained(
    model: keras.Model,
    inputs: Any,
    method: Callable[..., Explanation],
    *,
    title: str = "",
    **how: Any,
) -> tuple[Explanation, "Figure"]:
    """What a method says of a batch, and a figure of it.

    Of a model that reads an image and a text, of both, unless `name` says which; the explanation
    is then that of the image.

    Args:
        model: functional.
        inputs: a batch, arrays or raw values.
        method: of `ka.explain`.
        title: of the figure.
        how: further arguments of the method.
    """
    names = prediction.image_and_text(model)
    if names is None or "name" in how:
        found = method(model, inputs, **how)
        return found, plots.explanation(found, titles(model, found), title=title)
    image, text = (method(model, inputs, name=name, **how) for name in names)
    return image, plots.image_and_text(image, text, titles(model, image), title=title)


def page(model: keras.Model, inputs: Any) -> View:
    """The attention weights of the first input of a batch as a page to explore.

    Raises:
        ValueError: the input is a graph, or an image with a text; or its weights are too many for a
            page.
    """
    title = f"Attention weights of {model.name}"
    if prediction.writes_text(model):
        written = _translation(model, inputs)
        sequences: dict[str, list[str]] = {}
        axes = {
            path: (_name(sequences, written.queries[path]), _name(sequences, written.keys[path]))
            for path in written.maps
        }
        return to_html(written.maps, sequences, axes=axes, title=title)
    found = elements(model, inputs)
    if isinstance(found, Nodes):
        raise ValueError("A page shows sequences and images. Draw graphs with `heads`.")
    if prediction.image_and_text(model):
        raise ValueError("A page shows one sequence or image. Draw a text about one with `heads`.")
    maps = attention_maps(model, found.inputs)
    longest = max(max(weights.shape[2:]) for weights in maps.values())
    tokens: list[Any] = list(found.labels[0]) if found.labels else []
    if isinstance(found, Patches):
        cells = found.grid[0] * found.grid[1]
        special = ["class", *(f"register {i + 1}" for i in range(longest - cells - 1))]
        tokens = [*special[: longest - cells], ImagePatches(_image(found), found.grid)]
    elif isinstance(found, Frames) and found.bands > 1:
        tokens = [f"{time}, band {b + 1}" for time in tokens for b in range(found.bands)]
    return to_html(maps, tokens, title=title)


def titles(model: keras.Model, found: Explanation) -> list[str]:
    """What is explained of each input, by name."""
    names = class_names(model)
    shown = [names[target] if names else str(target) for target in found.target]
    if found.position is None:
        return [f"for {name}" for name in shown]
    return [
        f"for {name} at {position}" for name, position in zip(shown, found.position, strict=True)
    ]


def highest(found: Explanation, count: int = 5) -> list[tuple[str, float]]:
    """The elements of the first input with the largest scores, by name."""
    scores, labels = found.scores[0], found.elements.labels
    order = np.argsort(-np.abs(scores), kind="stable")[
        : min(count, found.elements.present[0].sum())
    ]
    columns = max(1, found.elements.grid[1])

    def name(index: int) -> str:
        if labels:
            return labels[0][index]
        return f"row {index // columns + 1}, column {index % columns + 1}"

    return [(name(int(i)), float(scores[i])) for i in order]


def class_names(model: keras.Model) -> Sequence[str]:
    """The names of the model's outputs; none where no layer has them."""
    return roles.class_names(prediction.decoder(model))


def class_index(model: keras.Model, name: str | None) -> int | None:
    """The index of a class, by its name or its index in writing.

    Raises:
        ValueError: there is no such class.
    """
    if name is None:
        return None
    names = list(class_names(model))
    if name in names:
        return names.index(name)
    if name.lstrip("-").isdigit():
        return int(name)
    raise ValueError(
        f"`target` must be an index or one of {', '.join(names[:20])}"
        f"{', ...' if len(names) > 20 else ''}. Received: target={name!r}"
    )


def _captions(model: keras.Model) -> bool:
    return prediction.writes_text(model) and len(model.inputs[0].shape) == 4


def _regions(model: keras.Model, count: int) -> tuple[int, int]:
    """Rows and columns of so many regions of the image, as the last layer has them in a grid."""
    shapes: Any = (getattr(layer.output, "shape", ()) for layer in reversed(model.layers))
    return next(shape[1:3] for shape in shapes if len(shape) == 4 and shape[1] * shape[2] == count)


def _translation(model: keras.Model, inputs: Any) -> Generated:
    """What the model writes for the first of the inputs, greedily."""
    first = inputs if isinstance(inputs, str) else next(iter(inputs))
    return generation_maps(model, [first], max_new_tokens=_MOST_TOKENS)[0]


def _name(sequences: dict[str, list[str]], labels: list[str]) -> str:
    """The name of a sequence of labels, which gets one if it has none."""
    for name, known in sequences.items():
        if known == labels:
            return name
    name = f"sequence {len(sequences) + 1}"
    sequences[name] = labels
    return name


def _spectrograms(
    model: keras.Model, found: Frames, maps: Mapping[str, Any], title: str
) -> "Figure":
    layer: Any = framing(model, found.name or model.inputs[0].name)
    pictures = keras.Model(model.inputs[0], layer.output)(found.inputs, training=False)
    rows = pictures.shape[1] * layer.hop_length // found.hop
    return plots.spectrogram_attention(
        pictures,
        plots.patch_weights(maps, rows, found.bands),
        frames=(found.present.sum(axis=1) * (found.hop // layer.hop_length)).tolist(),
        seconds=layer.hop_length / layer.sampling_rate,
        title=title,
    )


def _neighbours(
    model: keras.Model, found: Nodes, maps: Mapping[str, Any], position: int | None, title: str
) -> "Figure":
    if position is None or not isinstance(found.inputs, Mapping) or "edges" not in found.inputs:
        raise ValueError(
            "Of a graph, the weights of one node's edges are drawn. Pass its `position`. Received: "
            f"position={position}"
        )
    outputs = keras.ops.convert_to_numpy(model(found.inputs, training=False))[0]
    path, weights = list(maps.items())[-1]
    names = class_names(model) or [str(i) for i in range(outputs.shape[-1])]
    return plots.node_attention(
        found.inputs["edges"][0],
        weights[0],
        position,
        outputs.argmax(axis=-1),
        names,
        title=f"{title}, {path}, node {position}",
    )


def _image(found: Elements) -> np.ndarray:
    return np.clip(found.array[0], 0, 255).astype(np.uint8)
