"""The devices of PyTorch, and whether values are known now."""

import keras
import numpy as np
import torch
from torch.fx.experimental.proxy_tensor import get_proxy_mode

from keras_attention.types import Tensor


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


def becomes_graph() -> bool:
    """Returns whether a compiler, export or trace records this, for calls with other tensors."""
    return torch.compiler.is_compiling() or torch.jit.is_tracing()


def set_value(variable: keras.Variable, array: np.ndarray) -> None:
    """Sets the value of a variable; Keras itself would copy the array twice."""
    shared = array.flags.writeable and array.dtype.name in ("float32", "float16", "float64")
    variable.assign(torch.from_numpy(array) if shared else array)
