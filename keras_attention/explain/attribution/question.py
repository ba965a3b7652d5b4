"""The question that an explanation answers, and the means to answer it."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from keras_attention import inference, prediction, scope
from keras_attention.explain.attribution import propagation
from keras_attention.explain.attribution.elements import Nodes, elements
from keras_attention.explain.attribution.explanation import Explanation
from keras_attention.explain.maps import attention_maps
from keras_attention.explain.maps.stream import Readout, Streams
from keras_attention.explain.probabilities import to_probabilities

_CHUNK = 8  # batches of perturbed inputs that are in memory at a time


class Question:
    """A question: which elements of the inputs speak for which output of each."""

    def __init__(
        self, model: keras.Model, inputs: Any, target: Any, position: Any, how: Mapping[str, Any]
    ) -> None:
        self.model = model
        self.elements = elements(model, inputs, **how)
        self._outputs = attention_maps.predicted(model, self.elements.inputs)
        outputs = attention_maps.to_numpy(_first(self._outputs))
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
    def graph(self) -> tuple[np.ndarray, np.ndarray]:
        """The edges, and weights `(B, N)` of the nodes that the output comes from."""
        assert self.edges is not None
        present = self.elements.present
        if self.position is not None:
            return self.edges, np.eye(present.shape[1])[self.position]
        return self.edges, present / np.maximum(present.sum(axis=1, keepdims=True), 1)

    def record(self) -> scope.Recording:
        """Returns the weights of all attention layers."""
        return attention_maps.record(self.model, self.elements.inputs, expected=self._outputs)

    def read(self, relations: propagation.Relations, along: Streams) -> np.ndarray:
        """Returns scores of the elements by the rows that the output is made of."""
        name = self.elements.name or self.model.inputs[0].name
        target = along.inputs[name]
        if relations.batch != len(self.target):
            raise ValueError(
                f"The attention of the model {self.model.name!r} has {relations.batch} rows for a "
                f"batch of {len(self.target)}: it reads something else than its inputs. Use a "
                "method that needs no attention, such as `integrated_gradients`."
            )
        relations.sizes[target] = self.elements.present.shape[1]
        scores = []
        for out in along.readouts:
            rows = self._rows(relations, out)
            of_one = propagation.at_input(relations, out.stream, target, rows)
            scores += [] if of_one is None else [of_one]
        if not scores:
            raise ValueError(
                f"No attention that was recorded goes from the output to the input {name!r}. Use "
                "a method that needs no attention, such as `integrated_gradients`."
            )
        return np.mean(scores, axis=0)

    def _rows(self, relations: propagation.Relations, out: Readout) -> np.ndarray:
        """Returns which row of its sequence the output comes from, `(B,)`; or weights of rows."""
        length = relations.lengths.get(out.stream, 1)
        batch, present = len(self.target), self.elements.present
        if self.position is not None:
            return self.position
        if out.unpadded and length == present.shape[1]:
            return np.array([np.flatnonzero(row)[out.row] if row.any() else 0 for row in present])
        if out.row is not None:
            return np.full(batch, out.row % length)
        if length == present.shape[1]:  # the mean of what is not padding
            return present / np.maximum(present.sum(axis=1, keepdims=True), 1)
        return np.full((batch, length), 1 / length)

    def sum_up(self, values: Mapping[str, np.ndarray]) -> np.ndarray:
        """Returns values of the shape of what the elements are made of, summed up in each."""
        sums = [self.elements.at_elements(np.asarray(x, np.float64)) for x in values.values()]
        return np.sum(sums, axis=0)

    def answer(self, method: str, scores: np.ndarray) -> Explanation:
        """Returns the explanation with these scores of elements, or of tokens of the model."""
        present = self.elements.present
        if scores.shape != present.shape:
            scores = self.elements.of_tokens(scores)
        scores = np.where(present, scores, 0.0)
        return Explanation(method, scores, self.elements, self.target, self.position)

    def leave_each_out(self, *, batch_size: int = 64) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns the target's probability with all elements `(B,)` and with none; and what it
        loses without each of them, `(B, E)`."""
        present = self.elements.present
        batch, size = present.shape
        rows, left = np.nonzero(present)
        rows = np.concatenate([np.arange(batch), np.arange(batch), rows])
        removed = np.concatenate([np.zeros_like(present), present, np.eye(size, dtype=bool)[left]])
        values = self.probabilities(removed, rows, batch_size=batch_size)
        whole, empty = values[:batch], values[batch : 2 * batch]
        lost = np.zeros(present.shape)
        lost[present] = whole[rows[2 * batch :]] - values[2 * batch :]
        return whole, empty, lost

    def probabilities(
        self, removed: np.ndarray, rows: np.ndarray, *, batch_size: int = 64
    ) -> np.ndarray:
        """Returns the target's probability when elements are taken away.

        Each perturbed input is computed once, in batches of one size, of which few are in memory
        at a time.

        Args:
            removed: `(rows, E)` boolean.
            rows: of the batch, which may repeat.
            batch_size: inputs computed at a time.

        Returns:
            `(rows,)`.
        """
        keys = np.concatenate(
            [rows[:, None].astype(">u4").view(np.uint8), np.packbits(removed, axis=1)], axis=1
        )
        _, first, back = np.unique(keys, axis=0, return_index=True, return_inverse=True)
        values = np.zeros(len(first))
        for start in range(0, len(first), _CHUNK * batch_size):
            some = first[start : start + _CHUNK * batch_size]
            full = np.resize(some, -(-len(some) // batch_size) * batch_size)
            computed = self._probabilities(removed[full], rows[full], batch_size)
            values[start : start + len(some)] = computed[: len(some)]
        return values[back.ravel()]

    def _probabilities(self, removed: np.ndarray, rows: np.ndarray, batch_size: int) -> np.ndarray:
        inputs = self.elements.without(removed, rows)
        outputs = inference.outputs(self.model, inputs, batch_size=batch_size)
        outputs = np.asarray(_first(outputs), np.float64)
        each = np.arange(len(outputs))
        if self.position is None:
            return to_probabilities(self.model, outputs)[each, self.target[rows]]
        if not hasattr(prediction.decoder(self.model), "probabilities"):
            outputs = outputs[each, self.position[rows]]  # fewer to compute
            return to_probabilities(self.model, outputs)[each, self.target[rows]]
        shares = to_probabilities(self.model, outputs)  # such as those of all positions
        return shares[each, self.position[rows], self.target[rows]]


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
