"""Calls of layers without what Keras does around each of them, where that comes to nothing.

Around a call Keras converts the arguments, binds them to the signature of `call`, opens scopes of
names and dtypes and looks for symbols. On PyTorch that takes as long as a small block computes. An
eager call whose arguments are like those of one before needs of it `training` and masks alone.
"""

from typing import Any

import keras

from keras_attention import kernels

_DTYPES = ("float32", "int32")
# That `call` does what `Layer.__call__` of another version does is not known.
_KNOWN = kernels.BACKEND == "torch" and keras.__version__.startswith("3.15.")


def applies(layer: keras.Layer) -> bool:
    """Returns whether `call` does what Keras does, of a layer that was called like this before."""
    return (
        _KNOWN
        and layer.compute_dtype in _DTYPES
        and layer.compute_dtype == layer.variable_dtype
        and layer.activity_regularizer is None
        and layer._call_context_args == {"training"}
        and keras.distribution.distribution() is None
        and kernels.no_scope_casts()
    )


def call(layer: keras.Layer, names: tuple[str, ...], args: tuple, kwargs: dict[str, Any]) -> Any:
    """Returns `layer(*args, **kwargs)`, of tensors, booleans and `None`.

    Args:
        layer: for which this `applies`.
        names: of the arguments of its `call`.
        args, kwargs: each is a tensor, a boolean or `None`.
    """
    given = {**dict(zip(names, args, strict=False)), **kwargs}
    inputs = given.get(names[0])
    masks = _masks(names, given)
    mask = masks.get("mask", kwargs.get("mask"))
    previous_mask = _mask_of(inputs) if mask is None else mask
    context = layer._get_call_context()
    training = kwargs["training"] if "training" in kwargs else context.get_value("training")
    if training or (previous_mask is not None and not layer.supports_masking):  # which it warns of
        return keras.layers.Layer.__call__(layer, *args, **kwargs)
    try:
        context.set_value("training", training)
        kwargs = {**kwargs, **masks}
        if "training" not in names:
            kwargs.pop("training", None)
        elif training is not None:
            kwargs["training"] = training
        output = super(keras.layers.Layer, layer).__call__(*args, **kwargs)
        if layer.supports_masking:
            layer._set_mask_metadata(inputs, output, previous_mask)
        return output
    finally:
        layer._maybe_reset_call_context()


def _masks(names: tuple[str, ...], given: dict[str, Any]) -> dict[str, Any]:
    """Returns the masks that come with tensors, for arguments that were not given."""
    tensors = [name for name, x in given.items() if x is not None and not isinstance(x, bool)]
    by_tensor = {"mask": tensors[0]} if len(tensors) == 1 else {f"{x}_mask": x for x in tensors}
    return {
        mask: _mask_of(given[tensor])
        for mask, tensor in by_tensor.items()
        if mask in names and given.get(mask) is None
    }


def _mask_of(tensor: Any) -> Any:
    return getattr(tensor, "_keras_mask", None)
