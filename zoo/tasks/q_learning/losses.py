"""The loss of a Q-network."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="zoo")
class ActionHuber(keras.losses.Huber):
    """Huber loss of the value of the action that was taken, as deep Q-learning has it.

    Mnih et al., 2015 (https://doi.org/10.1038/nature14236) clip the gradient of the square at 1.

    Args:
        delta: error from which on the loss is linear.

    Call arguments:
        y_true: `(B, 2)`, the index of an action and what it turned out to be worth.
        y_pred: `(B, A)` values of all actions.
        sample_weight: `(B,)`.
    """

    def __init__(self, delta: float = 1.0, name: str = "action_huber", **kwargs: Any) -> None:
        super().__init__(delta=delta, name=name, **kwargs)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        taken = ops.cast(y_true[:, :1], "int32")
        return super().call(y_true[:, 1:], ops.take_along_axis(y_pred, taken, axis=1))
