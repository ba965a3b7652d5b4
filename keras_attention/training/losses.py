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
