"""The page of a model and a batch of inputs, whatever kind of model it is."""

import json
import math
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from keras_attention import prediction
from keras_attention.explain.maps import attention_maps, generation_maps
from keras_attention.explain.pages.examples import describe_generated, describe_inputs
from keras_attention.explain.pages.graphs import around_nodes
from keras_attention.explain.pages.html import make_view
from keras_attention.explain.pages.positions import Positions
from keras_attention.explain.pages.view import View

_MOST_EXAMPLES = 12
_LARGEST = 900_000  # bytes of all examples but the first, so that a page stays below 1 MB


def page(
    model: keras.Model,
    inputs: Any,
    *,
    max_new_tokens: int | None = None,
    position: Any = None,
    why: bool = True,
) -> View:
    """Returns a page to explore what a model reads of a batch of inputs, what it answers, and why.

    ```python
    ka.explain.page(model, ["what is my balance", "play some jazz"]).save("attention.html")
    ka.explain.page(gpt, "Once upon a time", max_new_tokens=20).save("story.html")
    ka.explain.page(gat, graph, position=[17, 99]).save("nodes.html")
    ```

    One chooses an example, a layer and a head, and points at a token, a patch of an image or of a
    spectrogram, a column of a table or a node of a graph. The answer stands with its probabilities;
    of a model that writes, for each token with the most probable others. Below are the elements
    under their relevance and under the weights of the last layer, and a slider that takes away what
    these rank highest: the probabilities were computed by the model.

    The page is one file that needs no network. It has the first 12 inputs at most, and as many as
    fit in 1 MB, which it says; the first one always, see `to_html` for what that may take.

    Args:
        model: functional.
        inputs: a batch, arrays or raw values; or one text. Of a graph, its `features` and `edges`.
        max_new_tokens: tokens that a language model adds to each input: the page shows what it read
            for each of them. `None` for the input alone. A model that translates or captions writes
            64 at most by default.
        position: of what is explained, where the model has outputs at each position: one, or one
            for each input; the last that is not padding if `None`. Of one graph: the node whose
            neighbours are shown, or several for an example each; the first if `None`.
        why: whether relevance and the slider are there. They cost three gradients or predictions
            for each input, and 24 further predictions.

    Raises:
        ValueError: no layer has weights of these inputs, or they are too many for a page.
    """
    inputs = _as_batch(model, inputs)
    total, shown = _count(inputs), _first(inputs, _MOST_EXAMPLES)
    if max_new_tokens is not None or prediction.writes_text(model):
        most = max_new_tokens or generation_maps.MOST_TOKENS
        written = generation_maps.generation_maps(model, shown, max_new_tokens=most)
        grid = _grid(model, written[0])
        examples = describe_generated(model, shown, written, grid)
    elif _is_one_graph(model, shown):
        nodes = [0] if position is None else np.atleast_1d(position).tolist()
        total, nodes = len(nodes), nodes[:_MOST_EXAMPLES]
        near, names, items = around_nodes(model, shown, nodes)
        positions = Positions(model, near, items={"features": items})
        examples = describe_inputs(model, near, positions, position=0, why=why)
        for example, name in zip(examples, names, strict=True):
            example["name"] = name
    else:
        position = position if np.ndim(position) == 0 else np.asarray(position)[:_MOST_EXAMPLES]
        positions = Positions(model, shown)
        examples = describe_inputs(model, shown, positions, position=position, why=why)
    return _make_page(f"Attention weights of {model.name}", examples, total)


def _make_page(title: str, examples: list[dict[str, Any]], total: int) -> View:
    """Returns the page of as many examples as fit."""
    sizes = np.cumsum([len(json.dumps(example)) for example in examples])
    fitting = max(1, int((sizes <= _LARGEST).sum()))
    note = ""
    if fitting < total:
        note = (
            f"The first {fitting} of {total:,} inputs: a page has {_MOST_EXAMPLES} at most, and as "
            "many as fit in 1 MB."
        )
    return make_view(title, examples[:fitting], note)


def _as_batch(model: keras.Model, inputs: Any) -> Any:
    """Returns a batch whose rows can be taken: a list, an array, or such by name."""
    inputs = prediction.as_rows(model, inputs)
    if isinstance(inputs, str):
        return [inputs]
    if isinstance(inputs, Mapping):
        return dict(inputs)
    names = [tensor.name for tensor in model.inputs]
    if isinstance(inputs, (list, tuple)) and len(names) > 1 and hasattr(inputs[0], "shape"):
        return dict(zip(names, inputs, strict=True))
    if isinstance(inputs, (list, tuple)) or hasattr(inputs, "shape"):
        return inputs
    return attention_maps.arrays(model, inputs)  # such as the path of a file


def _count(inputs: Any) -> int:
    return len(next(iter(inputs.values())) if isinstance(inputs, Mapping) else inputs)


def _first(inputs: Any, count: int) -> Any:
    if isinstance(inputs, Mapping):
        return {name: values[:count] for name, values in inputs.items()}
    return inputs[:count]


def _is_one_graph(model: keras.Model, inputs: Any) -> bool:
    """Whether it is a graph with outputs at each of its nodes."""
    graph = isinstance(inputs, Mapping) and {"features", "edges"} <= set(inputs)
    return graph and len(inputs["edges"]) == 1 and len(model.outputs[0].shape) == 3


def _grid(model: keras.Model, written: generation_maps.Generated) -> tuple[int, int] | None:
    """Returns rows and columns of the regions of the image that a model writes about, if it does:
    those of the layer that puts them in a grid."""
    if len(model.inputs[0].shape) != 4:
        return None
    count = max(len(written.keys[path]) for path in written.cross_attention)
    shapes: Any = (getattr(layer.output, "shape", ()) for layer in model.layers)
    grids = [shape[1:3] for shape in shapes if len(shape) == 4 and shape[1] * shape[2] <= count]
    return max(grids, key=math.prod, default=None)
