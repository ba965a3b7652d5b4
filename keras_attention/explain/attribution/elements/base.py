"""Elements of whatever kind: which there are, and inputs without some of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

Arrays = Any  # an array, or arrays by the names of inputs


@dataclass(frozen=True)
class Batch:
    """A batch of inputs, one of which is looked at.

    Attributes:
        inputs: the batch, as the model takes it.
        name: of the input that is looked at; `None` if the model has one input.
    """

    inputs: Arrays
    name: str | None

    @property
    def array(self) -> np.ndarray:
        """The input that is looked at."""
        return self.inputs if self.name is None else self.inputs[self.name]

    def given(self, array: Any) -> Arrays:
        """Returns the inputs with another array in place of `array`."""
        return array if self.name is None else {**self.inputs, self.name: array}


@dataclass(frozen=True)
class Elements(Batch):
    """The parts of a batch of inputs that a model may read or not; made by `elements`.

    Attributes:
        inputs: the batch, as the model takes it.
        name: of the input that has them; `None` if the model has one input.
        present: `(B, E)` boolean, false for padding.
        labels: what to write at each, E or fewer for each input, as padding at the end needs
            none; nothing where they are a grid.
        grid: rows and columns of a grid of E; (0, 0) where they are a sequence.
        beside: names of inputs that say more of the same elements, `(B, E, ...)`.
    """

    present: np.ndarray
    labels: Sequence[Sequence[str]] = ()
    grid: tuple[int, int] = (0, 0)
    beside: tuple[str, ...] = ()

    kind: ClassVar[str]

    def without(self, removed: np.ndarray, rows: Any = slice(None)) -> Arrays:
        """Returns the inputs of some `rows` of the batch with elements taken away.

        Args:
            removed: `(rows, E)` boolean.
            rows: indices, which may repeat; all rows if left out.
        """
        removed = np.asarray(removed, bool) & self.present[rows]
        if self.name is None:
            return self._remove(self.inputs[rows], removed, rows)
        inputs = {name: array[rows] for name, array in self.inputs.items()}
        own = (self.name, *self.beside)
        return {**inputs, **{name: self._remove(inputs[name], removed, rows) for name in own}}

    def baseline(self) -> np.ndarray:
        """Returns `array` with all elements taken away."""
        return self._remove(self.array, self.present, slice(None))

    def at_elements(self, values: np.ndarray) -> np.ndarray:
        """Returns values of the shape of `array`, summed up in each element: `(B, E)`."""
        raise NotImplementedError

    def of_tokens(self, scores: np.ndarray) -> np.ndarray:
        """Returns scores `(B, tokens)` of what attention reads as scores of elements."""
        if scores.shape[1] != self.present.shape[1]:
            raise ValueError(
                f"The model's attention reads {scores.shape[1]} positions, and the input has "
                f"{self.present.shape[1]} {self.kind}: they cannot be told apart. Use a method "
                "that needs no attention, such as `integrated_gradients`."
            )
        return scores

    def _remove(self, array: np.ndarray, removed: np.ndarray, rows: Any) -> np.ndarray:
        """Returns some rows of an array without the elements that are `removed`."""
        raise NotImplementedError
