"""What is to be explained, and what an explanation is."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from keras_attention import scope
from keras_attention.explain import propagation
from keras_attention.explain.elements import Elements, Nodes, elements
from keras_attention.explain.maps import record, to_numpy
from keras_attention.explain.streams import Streams


@dataclass(frozen=True)
class Explanation:
    """What a method says of a batch.

    Attributes:
        method: its name.
        scores: `(B, E)`, zero where there is no element.
        elements: which elements these are.
        target: `(B,)` the outputs that are explained, mostly classes.
        position: `(B,)` positions of these outputs; `None` where there is one for each input.
    """

    method: str
    scores: np.ndarray
    elements: Elements
    target: np.ndarray
    position: np.ndarray | None = None


class Question:
    """What is to be explained: elements of inputs, and which output for each."""

    def __init__(
        self, model: keras.Model, inputs: Any, target: Any, position: Any, how: Mapping[str, Any]
    ) -> None:
        self.model = model
        self.elements = elements(model, inputs, **how)
        self._outputs = model(self.elements.inputs, training=False)
        outputs = to_numpy(_first(self._outputs))
        batch = len(outputs)
        if outputs.ndim == 2 and position is not None:
            raise ValueError(
                f"The model has one output for each input, of shape {outputs.shape}: leave "
                f"`position` out. Received: position={position}"
            )
        if outputs.ndim == 3 and position is None:
            raise ValueError(
                f"The model has outputs at {outputs.shape[1]} positions. Pass the `position` of "
                "the one to explain, or one for each input."
            )
        if outputs.ndim not in (2, 3):
            raise ValueError(
                "Outputs must have shape (B, C) or (B, T, C). Received: a model whose outputs "
                f"have shape {outputs.shape}"
            )
        self.position = None
        if position is not None:
            self.position = _indices("position", position, batch, outputs.shape[1])
            outputs = outputs[np.arange(batch), self.position]
        if target is None:
            target = outputs.argmax(axis=-1)
        self.target = _indices("target", target, batch, outputs.shape[-1])
        self.edges = None
        if isinstance(self.elements, Nodes) and isinstance(self.elements.inputs, Mapping):
            self.edges = self.elements.inputs.get("edges")

    @property
    def graph(self) -> tuple[np.ndarray, np.ndarray, int]:
        """Edges, nodes that are explained, and the number of nodes."""
        return self.edges, self.position, self.elements.present.shape[1]

    def recording(self) -> scope.Recording:
        """The weights of all attention layers."""
        return record(self.model, self.elements.inputs, expected=self._outputs)

    def read(self, relations: Any, found: Streams, *, averaged: bool = False) -> np.ndarray:
        """Scores of the elements, from the row of the output; or `averaged` over rows."""
        length = relations.lengths.get(found.output, 1)
        batch = len(self.target)
        if self.position is not None and not averaged:
            rows = self.position
        elif not averaged and found.readout is not None and found.readout.row is not None:
            rows = np.full(batch, found.readout.row % length)
        else:
            rows = np.full((batch, length), 1 / length)
            if length == self.elements.present.shape[1]:  # the mean of what is not padding
                present = self.elements.present
                rows = present / np.maximum(present.sum(axis=1, keepdims=True), 1)
        name = self.elements.name or self.model.inputs[0].name
        size = relations.lengths.get(found.inputs[name], self.elements.present.shape[1])
        return propagation.at_input(relations, found, name, size, rows)

    def summed(self, values: Mapping[str, np.ndarray]) -> np.ndarray:
        """Values of the shape of what the elements are made of, summed up."""
        return sum(self.elements.at_elements(np.asarray(x, np.float64)) for x in values.values())

    def answered(self, method: str, scores: np.ndarray) -> Explanation:
        present = self.elements.present
        if scores.shape != present.shape:
            scores = self.elements.of_tokens(scores)
        scores = np.where(present, scores, 0.0)
        return Explanation(method, scores, self.elements, self.target, self.position)

    def probabilities(
        self, removed: np.ndarray, rows: Any = slice(None), *, batch_size: int = 64
    ) -> np.ndarray:
        """The target's probability when elements are taken away.

        Args:
            removed: `(rows, E)` boolean.
            rows: of the batch, which may repeat.
            batch_size: inputs computed at a time.

        Returns:
            `(rows,)`.
        """
        inputs = self.elements.without(removed, rows)
        outputs = self.model.predict(inputs, batch_size=batch_size, verbose=0)
        outputs = np.asarray(_first(outputs), np.float64)
        each = np.arange(len(outputs))
        if self.position is not None:
            outputs = outputs[each, self.position[rows]]
        if outputs.shape[-1] > 1 and not _are_probabilities(outputs):
            outputs = np.exp(outputs - outputs.max(axis=-1, keepdims=True))
            outputs /= outputs.sum(axis=-1, keepdims=True)
        return outputs[each, self.target[rows]]


def _are_probabilities(outputs: np.ndarray) -> bool:
    return bool((outputs >= 0).all() and np.allclose(outputs.sum(axis=-1), 1, atol=1e-3))


def _first(outputs: Any) -> Any:
    return keras.tree.flatten(outputs)[0]


def _indices(name: str, given: Any, batch: int, size: int) -> np.ndarray:
    array = np.asarray(given)
    if array.dtype.kind not in "iu" or array.ndim > 1 or (array.ndim == 1 and len(array) != batch):
        raise ValueError(
            f"`{name}` must be an index, or one for each of the {batch} inputs. Received: "
            f"{name}={given!r}"
        )
    if not ((-size <= array) & (array < size)).all():
        raise ValueError(f"`{name}` must be below {size}. Received: {name}={given!r}")
    return np.broadcast_to(array, (batch,)) % size
