"""Giving a model back its optimizer and its random states."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import ml_dtypes
import numpy as np

from keras_attention.saving import training
from keras_attention.saving.errors import DamagedFileError, RefusedFileError
from keras_attention.saving.weights import Weights

_COMPILE = {
    "optimizer", "loss", "loss_weights", "metrics", "weighted_metrics", "run_eagerly",
    "steps_per_execution", "jit_compile",
}  # fmt: skip


def resume(
    model: keras.Model,
    compile_config: Mapping[str, Any],
    weights: Weights,
    state: Mapping[str, Any] | None,
    custom_objects: Mapping[str, Any],
) -> None:
    """Compiles a loaded model and sets what training left behind.

    Args:
        model: with its weights.
        compile_config: as Keras serialized it, checked.
        weights: of the file.
        state: of `training.state_of`, or `None` for a file of Keras alone.
        custom_objects: classes and functions by the name in `compile_config`.
    """
    unknown = compile_config.keys() - _COMPILE
    if unknown:
        raise RefusedFileError(f"Its compile_config has {sorted(unknown)}, which Keras has not.")
    settings = keras.saving.deserialize_keras_object(
        dict(compile_config), custom_objects=dict(custom_objects)
    )
    backend = keras.backend.backend()
    # What one backend chose for "auto" is wrong on another, and Keras saves the choice.
    settings["jit_compile"] = "auto"
    if state is not None and state["backend"] == backend:
        settings["jit_compile"] = state["jit_compile"]
    if backend == "torch":
        settings["steps_per_execution"] = 1  # it takes no other
    if settings.get("optimizer") is not None:
        settings["optimizer"] = _optimizer(settings["optimizer"], model, weights, state)
    model.compile(**settings, auto_scale_loss=False)
    restore_optimizer(model, weights.optimizer)
    if state is not None:
        training.restore_seeds(model, state)
        training.set_random_state(state["random"])
        if state["began"]:
            _set_again_when_training_goes_on(model, state["random"])


def restore_optimizer(model: keras.Model, variables: Sequence[np.ndarray]) -> None:
    """Sets the variables of a compiled model's optimizer.

    Raises:
        DamagedFileError: they are not those of this optimizer.
    """
    optimizer = model.optimizer
    if optimizer is None:
        return
    if len(variables) != len(optimizer.variables):  # else it had not begun either
        optimizer.build(model.trainable_variables)
    own = optimizer.variables
    shapes = [tuple(variable.shape) for variable in own]
    if shapes != [variable.shape for variable in variables]:
        raise DamagedFileError(
            f"The file's optimizer has {len(variables)} variables, those of the model's "
            f"{type(optimizer).__name__} are {len(own)}"
            + (" of other shapes." if len(own) == len(variables) else ".")
            + " If a part of a layer was frozen, as in `block.attention.trainable = False`: a file "
            "of `ka.save_model` says so, one of `model.save` does not."
        )
    for variable, value in zip(own, variables, strict=True):
        _check_value(variable, value)
    for variable, value in zip(own, variables, strict=True):
        variable.assign(value)


def _check_value(variable: keras.Variable, value: np.ndarray) -> None:
    """Refuses numbers that the variable of an optimizer cannot hold."""
    if not value.size:
        return
    dtype = keras.backend.standardize_dtype(variable.dtype)
    if keras.backend.is_float_dtype(dtype):
        numbers = np.abs(value.astype("float64"))
        largest = float(ml_dtypes.finfo(dtype).max)
        fits = (
            value.dtype.kind not in "biu" and not ((numbers > largest) & (numbers < np.inf)).any()
        )
    elif dtype == "bool":
        fits = value.dtype.kind == "b"
    else:
        bounds = np.iinfo(dtype)
        fits = value.dtype.kind in "iu" and bounds.min <= value.min() <= value.max() <= bounds.max
    if not fits:
        raise DamagedFileError(
            f"The file's optimizer has numbers of type {value.dtype} for {variable.path!r} that a "
            f"{dtype} cannot hold."
        )


def _optimizer(
    optimizer: Any,
    model: keras.Model,
    weights: Weights,
    state: Mapping[str, Any] | None,
) -> keras.optimizers.Optimizer:
    """The optimizer as it was before it was built."""
    optimizer = keras.optimizers.get(optimizer)
    wraps = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    if not wraps and (weights.scales_loss if state is None else state["scales_loss"]):
        # Keras wraps it when a mixed_float16 model is compiled, and saves what it wrapped.
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer, name="loss_scale_optimizer")
    trainable = model.trainable_variables
    if state is not None:
        for leaf, indices in zip(training.leaves(optimizer), state["not_decayed"], strict=True):
            if indices:
                leaf.exclude_from_weight_decay(var_list=[trainable[i] for i in indices])
    return optimizer


def _set_again_when_training_goes_on(model: keras.Model, random_state: Mapping[str, Any]) -> None:
    """The first `fit` of a model draws numbers to look at a batch, which a later one does not."""
    make = model.make_train_function

    def make_train_function(force: bool = False) -> Any:
        del model.make_train_function
        training.set_random_state(random_state)
        return make(force)

    model.make_train_function = make_train_function
