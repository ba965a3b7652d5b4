"""Losses that Keras does not have."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="zoo")
class SmoothedCrossentropy(keras.losses.Loss):
    """Cross-entropy of integer targets with label smoothing (Szegedy et al., 2016, section 7,
    https://arxiv.org/abs/1512.00567).

    It equals `keras.losses.CategoricalCrossentropy` of one-hot targets, but makes nothing as
    large as the logits; `SparseCategoricalCrossentropy` has no label smoothing. It is a mean over
    the elements by their weights, so padding of weight 0 does not count.

    Args:
        label_smoothing: share of a target that is spread over all classes.

    Call arguments:
        y_true: `(...)` integers.
        y_pred: `(..., V)` logits.
        sample_weight: `(...)`.
    """

    def __init__(
        self,
        label_smoothing: float = 0.1,
        name: str = "smoothed_crossentropy",
        reduction: str = "mean_with_sample_weight",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, reduction=reduction, **kwargs)
        self.label_smoothing = label_smoothing

    def call(self, y_true: Any, y_pred: Any) -> Any:
        logits = ops.cast(y_pred, "float32")
        of_target = ops.take_along_axis(logits, ops.cast(y_true, "int32")[..., None], axis=-1)
        smooth = self.label_smoothing
        expected = (1 - smooth) * of_target[..., 0] + smooth * ops.mean(logits, axis=-1)
        return ops.logsumexp(logits, axis=-1) - expected

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "label_smoothing": self.label_smoothing}


@keras.saving.register_keras_serializable(package="zoo")
class ActionHuber(keras.losses.Huber):
    """Huber loss of the value of the action that was taken, for models that end in `ActionValues`.

    Mnih et al., 2015 (https://doi.org/10.1038/nature14236) clip the gradient of the square at 1;
    that of this loss is clipped at `delta`.

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
