"""What a page shows of each input of a batch, as JSON has it."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from keras_attention import prediction, roles, scope
from keras_attention.explain.maps import attention_maps
from keras_attention.explain.maps.generation_maps import Generated
from keras_attention.explain.maps.stream import Read
from keras_attention.explain.maps.streams import streams
from keras_attention.explain.pages.answers import describe_answer
from keras_attention.explain.pages.html import describe_maps
from keras_attention.explain.pages.image import Patches, Picture
from keras_attention.explain.pages.positions import (
    Item,
    Positions,
    name_example,
    name_input_of,
    name_stream,
)
from keras_attention.explain.pages.reasons import describe_reasons
from keras_attention.explain.pages.sequences import Sequences

_NOTHING = "(nothing)"  # stands in an empty sequence
_WRITTEN = (
    "Relevance explains one answer, and a text that is written has one for each token. That of one "
    "of them is ka.explain.relevance(model, inputs, position=...)."
)


class _Named:
    """Sequences of one input under names of their own, and which of them each layer relates."""

    def __init__(self) -> None:
        self.items: dict[str, list[str | Picture]] = {}
        self.axes: dict[str, tuple[str, str]] = {}

    def add(self, kind: str, items: Sequence[str | Picture]) -> str:
        """Returns the name of a sequence: its kind, and its length where that is another's."""
        given = list(items)
        if self.items.setdefault(kind, given) == given:
            return kind
        return self.add(f"{len(given)} of {kind}", given)

    def describe(self, maps: Mapping[str, np.ndarray]) -> dict[str, Any]:
        """Returns weights `(N, T, S)` by layer and the sequences as JSON has them."""
        return describe_maps(maps, Sequences(self.items), self.axes)


def describe_inputs(
    model: keras.Model, inputs: Any, positions: Positions, *, position: Any, why: bool
) -> list[dict[str, Any]]:
    """Returns for each input what its layers read, what the model answers, and why.

    Args:
        model: functional.
        inputs: a batch, raw values or arrays, by which examples are named.
        positions: of the batch.
        position: see `page`.
        why: whether reasons are computed, which costs gradients and further predictions.

    Raises:
        ValueError: no layer has weights for each input.
    """
    elements = next(iter(positions.elements.values()), None)
    given = elements.inputs if elements is not None else attention_maps.arrays(model, inputs)
    outputs = attention_maps.predicted(model, given)
    recording = attention_maps.record(model, given, expected=outputs)
    first = attention_maps.to_numpy(keras.tree.flatten(outputs)[0])
    maps = {path: attention_maps.to_numpy(weights) for path, weights in recording.maps.items()}
    # A layer may read the parts of an input one by one, such as each series by itself.
    parts = {path: len(weights) // len(first) for path, weights in maps.items()}
    maps = {path: w for path, w in maps.items() if parts[path] * len(first) == len(w) > 0}
    if not maps:
        raise ValueError(
            f"No layer of {model.name!r} has weights of the {len(first)} inputs, which a page "
            "could show. Draw those of `attention_maps`."
        )
    reads = _reads(model, recording)
    edges = given.get("edges") if isinstance(given, Mapping) else None
    present = np.ones(first.shape[:2], bool) if elements is None else elements.present
    if first.ndim == 3 and present.shape[1] != first.shape[1]:  # such as steps that are forecast
        present = np.ones(first.shape[:2], bool)
    where = _choose_positions(first, present, position)
    reasons = describe_reasons(model, positions, where) if why and elements else [[]] * len(first)
    examples = []
    for row, output in enumerate(first):
        named = _Named()
        values = {}
        for path, weights in maps.items():
            for part in range(parts[path]):
                of_row = weights[row * parts[path] + part]
                if of_row.ndim == 2:  # (N, E), of edges
                    loops = roles.adds_self_loops(recording.owners[path])
                    of_row = _to_matrix(of_row, np.asarray(edges)[row], first.shape[1], loops)
                place = path + _name_part(model, part, parts[path])
                values[place] = _name(named, positions, row, place, of_row, reads.get(path))
        answered, which = output, present[row]
        if edges is not None and where is not None:
            answered = output[where[row]]
        answer = describe_answer(model, answered, of=_of(positions), present=which)
        examples.append(
            {
                "name": name_example(model, inputs, row),
                **named.describe(values),
                "answer": answer,
                "reasons": reasons[row],
            }
        )
    return examples


def describe_generated(
    model: keras.Model, inputs: Any, written: Sequence[Generated], grid: tuple[int, int] | None
) -> list[dict[str, Any]]:
    """Returns for each text that was written what was read for each token of it.

    Args:
        model: functional.
        inputs: the prompts, by which examples are named.
        written: of each.
        grid: of the regions of an image that is the source, else `None`.
    """
    examples = []
    for row, generated in enumerate(written):
        named = _Named()
        offsets = {}
        for path, (query, key) in generated.axes.items():
            queries, keys = generated.queries[path], generated.keys[path]
            sides: list[Sequence[str | Picture]] = [queries, keys]
            for i, kind in enumerate((query, key)):
                if kind == "source" and grid is not None:
                    sides[i] = _with_image(model, inputs, row, grid, (queries, keys)[i])
            named.axes[path] = named.add(query, sides[0]), named.add(key, sides[1])
            if (query, key) == ("written", "read"):
                offsets[path] = len(keys) - len(queries)
        example = named.describe(generated.maps)
        for described in example["maps"]:
            described["offset"] = offsets.get(described["path"])
        path = next(path for path, (query, _) in generated.axes.items() if query == "written")
        choices = [[[name, round(p, 5)] for name, p in row] for row in generated.choices]
        answer = {"of": named.axes[path][0], "probable": True, "choices": choices}
        answer["chosen"] = generated.queries[path]
        name = f"{name_example(model, inputs, row)} \N{RIGHTWARDS ARROW} {generated.output}"
        of_text = {"answer": answer, "reasons": [], "unexplained": _WRITTEN}
        examples.append({"name": name, **example, **of_text})
    return examples


def _reads(model: keras.Model, recording: scope.Recording) -> dict[str, Read]:
    """Returns what each layer reads; nothing where the model does not tell."""
    try:
        return {read.path: read for read in streams(model, recording).reads}
    except ValueError:
        return {}


def _name_part(model: keras.Model, part: int, count: int) -> str:
    """Returns what is written behind a layer's path for one of so many parts of an input."""
    if count == 1:
        return ""
    names = getattr(prediction.decoder(model), "names", ())  # such as those of series
    return f", {names[part]}" if len(names) == count else f", part {part + 1} of {count}"


def _name(
    named: _Named,
    positions: Positions,
    row: int,
    path: str,
    weights: np.ndarray,
    read: Read | None,
) -> np.ndarray:
    """Names the axes of a layer's weights `(N, T, S)`, and returns them without padding."""
    names = []
    for axis, side in enumerate(("query", "key"), 1):
        length = weights.shape[axis]
        items: list[Item] = list(map(str, range(length)))
        kind = f"{length} positions"
        if read is not None:
            stream = getattr(read, side)
            items, kind = positions.of_stream(stream, row, length), name_stream(stream)
        kept = [i for i, item in enumerate(items) if item is not None] or [0]
        weights = weights.take(kept, axis=axis)
        names.append(named.add(kind, [items[i] or _NOTHING for i in kept]))
    named.axes[path] = names[0], names[1]
    return weights


def _of(positions: Positions) -> str:
    """Returns the name of the sequence that has an output at each position."""
    return name_input_of(next(iter(positions.elements), "positions"))


def _choose_positions(outputs: np.ndarray, present: np.ndarray, position: Any) -> np.ndarray | None:
    """Returns the positions `(B,)` whose outputs are explained: those given, or else the last that
    is not padding; `None` where there is one output for each input."""
    if outputs.ndim != 3:
        return None
    if position is not None:
        return np.broadcast_to(np.asarray(position), (len(outputs),))
    return present.shape[1] - 1 - present[:, ::-1].argmax(axis=1)


def _to_matrix(weights: np.ndarray, edges: np.ndarray, size: int, loops: bool) -> np.ndarray:
    """Returns weights `(N, size, size)` of nodes by nodes, from those `(N, E)` of edges.

    Where a layer makes each node a neighbour of its own, that has the rest of its weights.
    """
    matrix = np.zeros((len(weights), size, size), np.float32)
    real = (edges >= 0).all(axis=-1)
    source, target = edges[real].T
    np.add.at(matrix, (slice(None), target, source), weights[:, real])
    if loops:
        nodes = np.arange(size)
        matrix[:, nodes, nodes] += np.maximum(1 - matrix.sum(axis=-1), 0)
    return matrix


def _with_image(
    model: keras.Model, inputs: Any, row: int, grid: tuple[int, int], labels: Sequence[str]
) -> list[str | Picture]:
    """Returns labels whose last ones are the regions of an image instead."""
    name = model.inputs[0].name
    images = inputs[name] if isinstance(inputs, Mapping) else inputs
    image = prediction.encoders(model)[name].encode(images[row : row + 1])[0]
    patches = Patches(np.clip(image, 0, 255).astype(np.uint8), grid)
    return [*labels[: -len(patches)], *[patches] * len(patches)]
