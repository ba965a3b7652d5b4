"""Kernels in 8 bits, those of layers in layers as well."""

import warnings
from collections.abc import Sequence

import keras

from keras_attention.kernels import forget_functions
from keras_attention.layers.composite import Composite


def quantize(model: keras.Model, mode: str = "int8", *, skip: Sequence[str] = ()) -> None:
    """Has the kernels of a model in 8 bits, which take a quarter of the memory.

    Unlike `model.quantize(mode)`, which asks no layer that has parts, it reaches every kernel of
    `keras_attention.layers`: theirs have a scale per column, and activations stay floats. Keras's
    own layers are quantized by Keras: its `Dense` rounds its inputs too. Files keep the 8 bits, on
    every backend.

    `ka.enable_lora` may come before or after: adapters stay floats.

    Args:
        model: is built.
        mode: `"int8"`.
        skip: names of layers that stay as they are, parts included, such as a head to be trained.

    Raises:
        ValueError: another mode, a name that no layer has, or the model computes in float16.
    """
    if mode != "int8":
        raise ValueError(f'`mode` must be "int8". Received: mode={mode!r}')
    layers = model._flatten_layers(include_self=False)
    missing = set(skip) - {layer.name for layer in layers}
    if missing:
        raise ValueError(f"`skip` must be names of layers. Received: {sorted(missing)}")
    skipped = {
        id(part) for layer in layers if layer.name in skip for part in layer._flatten_layers()
    }
    ours = [layer for layer in layers if isinstance(layer, Composite) and layer.kernel_names]
    for layer in ours:
        if id(layer) not in skipped:
            layer.quantize(mode)
    done = skipped | {id(part) for layer in ours for part in layer._flatten_layers()}
    with warnings.catch_warnings():  # of each layer that has nothing to quantize
        warnings.filterwarnings("ignore", message=".*`quantize` method implemented")
        model.quantize(
            mode, filters=lambda layer: id(layer) not in done and layer.quantization_mode is None
        )
    forget_functions(model)
