"""The devices of PyTorch, and whether values are known now."""

from collections.abc import Hashable, Iterable
from typing import Any

import keras
import numpy as np
import torch
from torch.fx.experimental.proxy_tensor import get_proxy_mode

from keras_attention.types import Tensor

# Keras tells in no other way in which scope something is called.
_WATCHED = keras.Variable(0.0, trainable=False, dtype="float32", name="watched")


def device_name() -> str:
    """Returns the name of the device that computes."""
    return torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"


def on_cpu(tensor: Tensor) -> bool:
    """Returns whether a CPU computes with `tensor`."""
    return tensor.device.type == "cpu"


def chunk_numbers() -> int:
    """Returns how many numbers a loop over chunks holds at once: what a CPU's cache does."""
    return 2**24 if torch.cuda.is_available() else 2**17


def is_concrete(tensor: Tensor) -> bool:
    """Returns whether the values of `tensor` can be looked at now (no tracing, no meta device)."""
    return not (becomes_graph() or tensor.is_meta or get_proxy_mode() is not None)


def signature(values: Iterable[Any]) -> Hashable | None:
    """Returns what the tensors among the arguments of an eager call have in common with those of
    others that the same checks hold for: shapes and dtypes. `None` in a graph, and with arguments
    that are no plain tensors, booleans or `None`.
    """
    if becomes_graph():
        return None
    parts: list[Hashable] = []
    for value in values:
        if type(value) is torch.Tensor:
            parts += (value.shape, value.dtype)
        elif value is None or value is True or value is False:
            parts.append(value)
        else:
            return None
    return tuple(parts)


def no_scope_casts() -> bool:
    """Returns whether variables are what they are: no scope has them in another dtype, nor as
    symbols of a shape."""
    value = _WATCHED.value
    return value.dtype is torch.float32 and not value.is_meta


def becomes_graph() -> bool:
    """Returns whether a compiler, export or trace records this, for calls with other tensors."""
    return torch.compiler.is_compiling() or torch.jit.is_tracing()


def set_value(variable: keras.Variable, array: np.ndarray) -> None:
    """Sets the value of a variable; Keras itself would copy the array twice."""
    shared = array.flags.writeable and array.dtype.name in ("float32", "float16", "float64")
    variable.assign(torch.from_numpy(array) if shared else array)
