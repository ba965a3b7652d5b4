"""An explanation: a score for each element."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_attention.explain import plots
from keras_attention.explain.attribution.elements import Elements


@dataclass(frozen=True)
class Explanation:
    """Scores of the elements of a batch.

    Attributes:
        method: name of the method that gave them.
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

    def figure(self, titles: Sequence[str] = (), *, title: str = "") -> Any:
        """Draws the scores on their inputs, see `plots.explanation`."""
        return plots.explanation(self, titles, title=title)
