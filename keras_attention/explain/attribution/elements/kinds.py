"""Which kind of elements an input has."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from keras_attention import prediction, roles
from keras_attention.explain.attribution.elements.base import Batch, Elements
from keras_attention.explain.attribution.elements.columns import columns
from keras_attention.explain.attribution.elements.frames import frames, framing
from keras_attention.explain.attribution.elements.nodes import nodes
from keras_attention.explain.attribution.elements.patches import patches
from keras_attention.explain.attribution.elements.steps import cutting, steps
from keras_attention.explain.attribution.elements.tokens import tokens
from keras_attention.explain.maps.attention_maps import arrays


def elements(
    model: keras.Model,
    inputs: Any,
    *,
    name: str | None = None,
    replacement: Any = None,
    grid: tuple[int, int] | None = None,
) -> Elements:
    """Returns the tokens, patches, frames, nodes, columns or steps of a batch of inputs.

    Integers `(B, T)` are tokens, `(B, height, width, C)` are images of patches, `(B, samples)`
    are waveforms of frames, `(B, N, F)` are nodes or other vectors. `(B, F)` behind which a layer
    encodes tables are columns, `(B, steps, C)` that a layer cuts to patches are steps of series.

    Args:
        model: functional.
        inputs: a batch: arrays as the model takes them, or raw values as `ka.encode` does.
        name: of the input to be explained; of several the first.
        replacement: what stands for what is taken away: an id of tokens (padding by default, which
            masks hide); of images `"mean"` (of the image's channels, by default), `"blur"`, or a
            number.
        grid: rows and columns of patches, for images of models where no layer says that it cuts
            them, as a `PatchEmbedding` does.

    Raises:
        ValueError: no such input, or it is of no kind that is known.
    """
    names = [tensor.name for tensor in model.inputs]
    if name is not None and name not in names:
        raise ValueError(f"`name` must be one of {', '.join(names)}. Received: name={name!r}")
    name = name or names[0]
    encoded = arrays(model, inputs)
    texts = _texts(inputs, name) if encoded is not inputs else None
    batch = Batch(_as_arrays(model, encoded, names), None if len(names) == 1 else name)
    array = batch.array
    encoder = prediction.encoders(model).get(name)
    if encoder is not None and array.ndim == 2 and roles.encodes(encoder) == "tables":
        if replacement is not None:
            raise ValueError(
                "What is taken away of a row becomes missing. Received: "
                f"replacement={replacement!r}"
            )
        return columns(batch, encoder)
    if array.dtype.kind in "iu" and array.ndim == 2:
        return tokens(model, batch, name, texts=texts, replacement=replacement)
    if array.ndim == 4:
        return patches(model, batch, name, replacement=replacement, grid=grid)
    audio = array.ndim == 2 and framing(model, name) is not None
    vectors = array.ndim == 3 and array.dtype.kind == "f"
    cutter = cutting(model, name) if vectors else None
    if (audio or vectors) and replacement is not None:
        kind = "recordings" if audio else "nodes" if cutter is None else "series"
        raise ValueError(
            f"What is taken away of {kind} becomes {'zeros' if cutter is None else 'their mean'}. "
            f"Received: replacement={replacement!r}"
        )
    if audio:
        return frames(model, batch, name)
    if cutter is not None:
        return steps(batch, cutter)
    if vectors:
        return nodes(batch)
    raise ValueError(
        f"The input {name!r} must be ids (B, T), images (B, height, width, C), waveforms "
        "(B, samples) of a model with a `LogMelSpectrogram`, columns (B, F) of one with a layer "
        f"such as `NumericColumns`, or vectors (B, N, F). Received: {array.dtype} of "
        f"shape {array.shape}"
    )


def _texts(inputs: Any, name: str) -> Any:
    """Returns the texts of an input, or `None` where it was given ids."""
    texts = inputs.get(name) if isinstance(inputs, Mapping) else inputs
    return None if isinstance(texts, np.ndarray) and texts.dtype.kind in "iu" else texts


def _as_arrays(model: keras.Model, encoded: Any, names: list[str]) -> Any:
    """Returns an array, or arrays by the names of the inputs if there are several."""
    encoded = keras.tree.map_structure(_as_array, encoded)
    if isinstance(encoded, (list, tuple)) and len(names) > 1:
        encoded = dict(zip(names, encoded, strict=True))
    if len(names) == 1 or (isinstance(encoded, Mapping) and set(encoded) == set(names)):
        encoded = prediction.encode(model, encoded)  # arrays pass, and are checked
    if not isinstance(encoded, Mapping):
        return np.asarray(encoded)
    by_name = {key: np.asarray(x) for key, x in encoded.items()}
    return by_name[names[0]] if len(names) == 1 else by_name


def _as_array(value: Any) -> Any:
    """Returns a backend's tensor as an array, and everything else as it is."""
    return np.asarray(keras.ops.convert_to_numpy(value)) if keras.ops.is_tensor(value) else value
