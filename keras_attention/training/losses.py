"""Losses that Keras does not have, and one that it computes slowly."""

from typing import Any

import keras
from keras import ops

from keras_attention import kernels


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
        logits, targets = ops.cast(y_pred, "float32"), ops.cast(y_true, "int32")
        return kernels.crossentropy(targets, logits, self.label_smoothing)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "label_smoothing": self.label_smoothing}


@keras.saving.register_keras_serializable(package="keras_attention")
class SparseCategoricalCrossentropy(keras.losses.SparseCategoricalCrossentropy):
    """`keras.losses.SparseCategoricalCrossentropy`, in less time for a class at each position.

    Of logits `(B, T, V)` with V = 8192 it takes half the time of Keras's on PyTorch and on JAX, and
    the same on TensorFlow.

    Args: those of `keras.losses.SparseCategoricalCrossentropy`, but `from_logits` is `True` and the
        classes are on the last axis.

    Call arguments:
        y_true: `(...)` or `(..., 1)` integers.
        y_pred: `(..., V)` logits.
        sample_weight: `(...)`.
    """

    def __init__(self, from_logits: bool = True, ignore_class: int | None = None, **kwargs: Any):
        super().__init__(from_logits=from_logits, ignore_class=ignore_class, **kwargs)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        if not self.from_logits or self.ignore_class is not None:
            return super().call(y_true, y_pred)
        if len(y_true.shape) == len(y_pred.shape) and y_true.shape[-1] == 1:
            y_true = ops.squeeze(y_true, axis=-1)
        return kernels.crossentropy(ops.cast(y_true, "int32"), y_pred, 0.0)


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
