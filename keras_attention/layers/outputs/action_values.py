"""Names of actions: the last node of a network that values them."""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_attention.layers.outputs.labels import Labels


@dataclass(frozen=True)
class Choice:
    """Choice of a Q-network at one observation.

    Attributes:
        label: name of the action of the highest value.
        value: of that action: the return that the network expects.
        ranking: (name, value) of the actions, the best first.
    """

    label: str
    value: float
    ranking: tuple[tuple[str, float], ...]

    def __str__(self) -> str:
        return f"{self.label} ({self.value:.2f})"


@keras.saving.register_keras_serializable(package="keras_attention")
class ActionValues(Labels):
    """Names actions: their values pass, in float32, and `decode` chooses the action of the
    highest.

    Unlike `Labels` it makes no probabilities of them: values are returns that are expected, and
    how far apart they are says how much depends on the choice, not how likely it is right.

    Args:
        num_classes: number of actions A.
        names: A names; `"0"`, `"1"`, ... if `None`.

    Call arguments:
        logits: `(..., A)`, the values.

    Output:
        `logits` as float32, of the same mask.

    Raises:
        ValueError: another number of names or values than actions, or two equal names.
    """

    def decode(self, logits: Any, *, top: int = 5) -> list[Any]:
        """Returns a list of choices `(B,)`; lists of them for further axes, as of `(B, T, A)`.

        Args:
            logits: `(B, ..., A)`.
            top: actions in each choice's ranking.
        """
        values = np.asarray(ops.convert_to_numpy(logits), np.float64)
        self._check(values.shape)
        if values.ndim > 2:
            return [self.decode(row, top=top) for row in values]
        choices = []
        for row in values:
            best = np.argsort(-row, kind="stable")[:top]
            ranking = tuple((self.class_names[i], float(row[i])) for i in best)
            choices.append(Choice(*ranking[0], ranking))
        return choices
