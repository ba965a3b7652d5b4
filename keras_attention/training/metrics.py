"""Metrics that Keras does not have."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="zoo", name="WordAccuracy")
class TokenAccuracy(keras.metrics.Metric):
    """The share of tokens whose most probable class is the true one.

    Keras's own accuracy is a mean over batches of the accuracy in each, so with batches of
    different lengths a token of a short one counts for more. Here each token counts by its
    weight, and padding of weight 0 does not; `Batches` and `model.compile(weighted_metrics=...)`
    hand the weights over.

    Call arguments:
        y_true: `(...)` integers.
        y_pred: `(..., V)` logits or probabilities.
        sample_weight: `(...)`; 1 each if `None`.
    """

    def __init__(self, name: str = "accuracy", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.right = self.add_variable((), "zeros", name="right")
        self.tokens = self.add_variable((), "zeros", name="tokens")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        true = ops.cast(y_true, "int32")
        right = ops.cast(ops.equal(true, ops.cast(ops.argmax(y_pred, -1), "int32")), self.dtype)
        weights = ops.ones_like(right) if sample_weight is None else sample_weight
        weights = ops.cast(weights, self.dtype)
        self.right.assign_add(ops.sum(weights * right))
        self.tokens.assign_add(ops.sum(weights))

    def result(self) -> Any:
        return ops.divide_no_nan(self.right, self.tokens)
